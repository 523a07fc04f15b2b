package forward

import (
	"net/http"
	"strconv"
	"strings"
)

// faulty says what of the head of an HTTP/2 request nobody may pass on, because others could read it in two ways or it
// would have to be repaired: net/http is content with it. Empty: nothing.
func faulty(r *http.Request) string {
	asterisk := r.Method == http.MethodOptions && r.RequestURI == "*"
	switch {
	case !isTarget([]byte(r.RequestURI)), r.RequestURI[0] != '/' && !asterisk: // RFC 9113, 8.3.1
		return "the request target is malformed"
	case r.Host == "" || !isHost([]byte(r.Host)):
		return "the host is missing or malformed"
	}
	for _, host := range r.Header["Host"] {
		if !sameHost(host, r.Host) {
			return "there are two hosts"
		}
	}
	for _, length := range r.Header["Content-Length"] { // RFC 9113, 8.1.1: with the head's end the body may end, and is empty then
		if n, err := strconv.ParseUint(length, 10, 63); err != nil || int64(n) != r.ContentLength {
			return "the length of the body is malformed, or not that of the body"
		}
	}
	return ""
}

// sameHost says whether two hosts are one, with and without the port that http or https has anyway.
func sameHost(a, b string) bool {
	bare := func(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, ":80"), ":443") }
	return strings.EqualFold(bare(a), bare(b))
}
