package forward_test

import (
	"bufio"
	"fmt"
	"io"
	"mishap/internal/nettest"
	"net"
	"net/http"
	"strings"
	"testing"
)

// recorder is an upstream that keeps what it gets and answers each connection's requests with one answer. All requests of
// the table fit into it in one piece each.
type recorder struct {
	addr string
	got  chan string // all bytes of one connection, when it is over
}

func record(t *testing.T, answer string) *recorder {
	r := &recorder{got: make(chan string, 16)}
	r.addr = nettest.Serve(t, func(c *net.TCPConn) {
		var got strings.Builder
		tee := bufio.NewReader(io.TeeReader(c, &got))
		for {
			req, err := http.ReadRequest(tee)
			if err != nil {
				break
			}
			_, _ = io.Copy(io.Discard, req.Body)
			if _, err := io.WriteString(c, answer); err != nil || req.Close {
				break
			}
		}
		_, _ = io.Copy(&got, c)
		r.got <- got.String()
	})
	return r
}

// seen is what the upstream got on its connections, once they are over.
func (r *recorder) seen(connections int) string {
	var all strings.Builder
	for range connections {
		all.WriteString(<-r.got)
	}
	return all.String()
}

func head(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

// TestMalformedRequestsAreRefusedAndNothingOfThemGoesOn is the table of RFC 9112: what is refused, and how.
func TestMalformedRequestsAreRefusedAndNothingOfThemGoesOn(t *testing.T) {
	long := strings.Repeat("x", 300<<10)
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"not HTTP":                        {"\x16\x03\x01\x02\x00\x01", 400},
		"no version":                      {"GET /\r\n\r\n", 400},
		"two spaces":                      {head("GET  / HTTP/1.1", "Host: a"), 400},
		"space at the end":                {head("GET / HTTP/1.1 ", "Host: a"), 400},
		"tab for a space":                 {head("GET\t/ HTTP/1.1", "Host: a"), 400},
		"leading space":                   {head(" GET / HTTP/1.1", "Host: a"), 400},
		"two empty lines first":           {"\r\n\r\n" + head("GET / HTTP/1.1", "Host: a"), 400},
		"method with a bracket":           {head("G[T / HTTP/1.1", "Host: a"), 400},
		"empty target":                    {head("GET  HTTP/1.1", "Host: a"), 400},
		"relative target":                 {head("GET index.html HTTP/1.1", "Host: a"), 400},
		"target with a fragment":          {head("GET /#x HTTP/1.1", "Host: a"), 400},
		"target with a control":           {head("GET /\x01 HTTP/1.1", "Host: a"), 400},
		"target beyond ASCII":             {head("GET /\xc3\xa9 HTTP/1.1", "Host: a"), 400},
		"asterisk for GET":                {head("GET * HTTP/1.1", "Host: a"), 400},
		"other scheme":                    {head("GET ftp://a/ HTTP/1.1", "Host: a"), 400},
		"absolute target of another host": {head("GET http://b/ HTTP/1.1", "Host: a"), 400},
		"absolute target with user":       {head("GET http://u@a/ HTTP/1.1", "Host: u@a"), 400},
		"CONNECT":                         {head("CONNECT a:443 HTTP/1.1", "Host: a:443"), 501},
		"HTTP/2.0 in text":                {head("GET / HTTP/2.0", "Host: a"), 505},
		"HTTP/0.9 in text":                {head("GET / HTTP/0.9", "Host: a"), 505},
		"lower-case version":              {head("GET / http/1.1", "Host: a"), 400},
		"long version":                    {head("GET / HTTP/1.10", "Host: a"), 400},
		"half a preface":                  {"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", 505},
		"no Host":                         {head("GET / HTTP/1.1"), 400},
		"two Hosts":                       {head("GET / HTTP/1.1", "Host: a", "Host: a"), 400},
		"Host with a space":               {head("GET / HTTP/1.1", "Host: a b"), 400},
		"Host with a path":                {head("GET / HTTP/1.1", "Host: a/b"), 400},
		"Host with a user":                {head("GET / HTTP/1.1", "Host: u@a"), 400},
		"Host list":                       {head("GET / HTTP/1.1", "Host: a,b"), 400},
		"bare LF after the request line":  {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
		"bare LF after a field":           {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
		"bare LF at the end":              {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
		"bare CR in a value":              {head("GET / HTTP/1.1", "Host: a", "X: a\rb"), 400},
		"bare CR in the request line":     {head("GET /\r HTTP/1.1", "Host: a"), 400},
		"NUL in a value":                  {head("GET / HTTP/1.1", "Host: a", "X: a\x00b"), 400},
		"DEL in a value":                  {head("GET / HTTP/1.1", "Host: a", "X: aaaaaaaaaaaa\x7f"), 400},
		"control in a value":              {head("GET / HTTP/1.1", "Host: a", "X: \x0b"), 400},
		"folded line":                     {head("GET / HTTP/1.1", "Host: a", "X: a", " b"), 400},
		"folded first line":               {head("GET / HTTP/1.1", " Host: a"), 400},
		"space before the colon":          {head("GET / HTTP/1.1", "Host: a", "X : b"), 400},
		"no colon":                        {head("GET / HTTP/1.1", "Host: a", "X"), 400},
		"no name":                         {head("GET / HTTP/1.1", "Host: a", ": b"), 400},
		"name with a slash":               {head("GET / HTTP/1.1", "Host: a", "X/Y: b"), 400},
		"name beyond ASCII":               {head("GET / HTTP/1.1", "Host: a", "X\xe9: b"), 400},
		"both framings":                   {head("POST / HTTP/1.1", "Host: a", "Content-Length: 3", "Transfer-Encoding: chunked") + "0\r\n\r\n", 400},
		"both framings the other way":     {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Content-Length: 3") + "0\r\n\r\n", 400},
		"two lengths":                     {head("POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Content-Length: 2") + "xx", 400},
		"two equal lengths":               {head("POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Content-Length: 1") + "x", 400},
		"list of lengths":                 {head("POST / HTTP/1.1", "Host: a", "Content-Length: 1, 1") + "x", 400},
		"length with a sign":              {head("POST / HTTP/1.1", "Host: a", "Content-Length: +1") + "x", 400},
		"negative length":                 {head("POST / HTTP/1.1", "Host: a", "Content-Length: -1") + "x", 400},
		"hexadecimal length":              {head("POST / HTTP/1.1", "Host: a", "Content-Length: 0x1") + "x", 400},
		"empty length":                    {head("POST / HTTP/1.1", "Host: a", "Content-Length:"), 400},
		"huge length":                     {head("POST / HTTP/1.1", "Host: a", "Content-Length: 9999999999999999999"), 400},
		"two encodings":                   {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n", 400},
		"chunked twice":                   {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked, chunked") + "0\r\n\r\n", 501},
		"chunked not last":                {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked, gzip"), 400},
		"identity":                        {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: identity"), 400},
		"unknown encoding":                {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: xchunked"), 400},
		"encoding with a control":         {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: \x0bchunked"), 400},
		"other coding before chunked":     {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked"), 501},
		"encoding in HTTP/1.0":            {head("POST / HTTP/1.0", "Host: a", "Transfer-Encoding: chunked") + "0\r\n\r\n", 400},
		"unknown expectation":             {head("GET / HTTP/1.1", "Host: a", "Expect: 200-ok"), 417},
		"Connection lists Host":           {head("GET / HTTP/1.1", "Host: a", "Connection: host"), 400},
		"Connection lists Content-Length": {head("POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Connection: Content-Length") + "x", 400},
		"Connection with a bracket":       {head("GET / HTTP/1.1", "Host: a", "Connection: a[b"), 400},
		"long target":                     {head("GET /"+long+" HTTP/1.1", "Host: a"), 414},
		"long field":                      {head("GET / HTTP/1.1", "Host: a", "X: "+long), 431},
		"many fields":                     {head("GET / HTTP/1.1", "Host: a"+strings.Repeat("\r\nX: y", 1100)), 431},
		"bad chunk size":                  {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "x\r\n", 400},
		"chunk size with a sign":          {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "+1\r\nx\r\n0\r\n\r\n", 400},
		"chunk size 0x":                   {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "0x1\r\nx\r\n0\r\n\r\n", 400},
		"chunk size after a space":        {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + " 1\r\nx\r\n0\r\n\r\n", 400},
		"chunk size before a space":       {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "1 \r\nx\r\n0\r\n\r\n", 400},
		"huge chunk size":                 {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "ffffffffffffffff\r\n", 400},
		"chunk size that wraps":           {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "10000000000000001\r\nx\r\n0\r\n\r\n", 400},
		"bare LF after a chunk size":      {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "1\nx\r\n0\r\n\r\n", 400},
		"bare LF in an extension":         {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "1;a\nx\r\n0\r\n\r\n", 400},
		"bare CR in an extension":         {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "1;a\rb\r\nx\r\n0\r\n\r\n", 400},
		"long extension":                  {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "1;" + strings.Repeat("a", 5000) + "\r\nx\r\n0\r\n\r\n", 400},
		"chunk longer than its size":      {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "1\r\nxy\r\n0\r\n\r\n", 400},
		"chunk ended by a bare LF":        {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "1\r\nx\n0\r\n\r\n", 400},
		"trailer with a control":          {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "0\r\nX: \x00\r\n\r\n", 400},
		"trailer that frames":             {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "0\r\nContent-Length: 5\r\n\r\n", 400},
		"trailer that is folded":          {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "0\r\nX: a\r\n b\r\n\r\n", 400},
		"end in the head":                 {"GET / HTTP/1.1\r\nHost: a\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			touched := make(chan string, 8)
			r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
				all, _ := io.ReadAll(c)
				touched <- string(all)
			}))
			answer := r.talk(c.request)
			want := fmt.Sprintf("HTTP/1.1 %d ", c.status)
			if !strings.HasPrefix(answer, want) || !strings.Contains(answer, "\r\nConnection: close\r\n") ||
				strings.Count(answer, "HTTP/1.1") != 1 {
				t.Errorf("answer is %.300q, want one that begins with %q and closes", answer, want)
			}
			r.stop()
			select {
			case got := <-touched:
				t.Errorf("the upstream got %q", got)
			default:
			}
		})
	}
}

// TestWellFormedRequestsGoOnAsTheyCame is the other half of the table: what the upstream sees. In want, nothing means the
// same as what was sent.
func TestWellFormedRequestsGoOnAsTheyCame(t *testing.T) {
	for name, c := range map[string]struct{ request, want string }{
		"plain":                       {head("GET /a?b=c HTTP/1.1", "Host: a:80", "x-lower: 1", "X-UPPER:2", "X-Tab:\t3 \t"), ""},
		"Host is kept":                {head("GET / HTTP/1.1", "User-Agent: x", "hOST: Example.COM:8080", "Authorization: AWS4-HMAC-SHA256 x"), ""},
		"empty Host":                  {head("GET / HTTP/1.1", "Host:"), ""},
		"one empty line first":        {"\r\n" + head("GET / HTTP/1.1", "Host: a"), head("GET / HTTP/1.1", "Host: a")},
		"absolute target":             {head("GET http://a/x HTTP/1.1", "Host: A"), ""},
		"asterisk":                    {head("OPTIONS * HTTP/1.1", "Host: a"), ""},
		"own method":                  {head("BREW /pot HTTP/1.1", "Host: a"), ""},
		"braces in a query":           {head(`GET /?q={"a":[1|2]} HTTP/1.1`, "Host: a"), ""},
		"dots and escapes":            {head("GET /a/../b//c%2f HTTP/1.1", "Host: a"), ""},
		"text beyond ASCII":           {head("GET / HTTP/1.1", "Host: a", "X: caf\xe9"), ""},
		"same field twice":            {head("GET / HTTP/1.1", "X: 1", "Host: a", "X: 2"), ""},
		"version 1.2":                 {head("GET / HTTP/1.2", "Host: a"), head("GET / HTTP/1.1", "Host: a")},
		"HTTP/1.0":                    {head("GET / HTTP/1.0", "X: y"), ""},
		"HTTP/1.0 that wants to stay": {head("GET / HTTP/1.0", "Connection: keep-alive", "X: y"), head("GET / HTTP/1.0", "X: y")},
		"fields of one hop": {
			head("GET / HTTP/1.1", "Host: a", "Connection: keep-alive, X-Hop", "Keep-Alive: 5", "x-hop: 1", "Proxy-Connection: x", "X-Kept: 1"),
			head("GET / HTTP/1.1", "Host: a", "X-Kept: 1")},
		"close":               {head("GET / HTTP/1.1", "Connection: close", "Host: a"), head("GET / HTTP/1.1", "Host: a", "Connection: close")},
		"trailers are wanted": {head("GET / HTTP/1.1", "Host: a", "TE: gzip, trailers", "Connection: te"), head("GET / HTTP/1.1", "Host: a", "TE: trailers", "Connection: TE")},
		"upgrade to h2c": {
			head("GET / HTTP/1.1", "Host: a", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
			head("GET / HTTP/1.1", "Host: a")},
		"upgrade that Connection does not list": {head("GET / HTTP/1.1", "Host: a", "Upgrade: websocket"), head("GET / HTTP/1.1", "Host: a")},
		"length":                                {head("POST / HTTP/1.1", "Host: a", "Content-Length: 5") + "hello", ""},
		"length 0":                              {head("POST / HTTP/1.1", "Host: a", "Content-Length: 0"), ""},
		"chunks": {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") +
			"5;name=value\r\nhello\r\n00A ;x\r\n0123456789\r\n0\r\n\r\n", ""},
		"trailers": {head("POST / HTTP/1.1", "Host: a", "Trailer: X-Sum", "Transfer-Encoding: Chunked") +
			"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", ""},
		"a body that looks like a request": {head("POST / HTTP/1.1", "Host: a", "Content-Length: 38") +
			"GET /smuggled HTTP/1.1\r\nHost: evil\r\n\r\n", ""},
		"large head":                {head("GET / HTTP/1.1", "Host: a", "Cookie: "+strings.Repeat("c", 40<<10), "X: y"), ""},
		"larger head":               {head("GET / HTTP/1.1", "Host: a", "Cookie: "+strings.Repeat("c", 200<<10), "X: y"), ""},
		"many fields":               {head("GET / HTTP/1.1", "Host: a"+strings.Repeat("\r\nX: y", 900)), ""},
		"zeros before a length":     {head("POST / HTTP/1.1", "Host: a", "Content-Length: 0000000000000000000005") + "hello", ""},
		"zeros before a chunk size": {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "0000000000000000000005\r\nhello\r\n00\r\n\r\n", ""},
		"large head and a body": {head("POST / HTTP/1.1", "Host: a", "Cookie: "+strings.Repeat("c", 15<<10), "Content-Length: 40000") +
			strings.Repeat("b", 40000), ""},
		"pipeline": {head("GET /1 HTTP/1.1", "Host: a") + head("GET /2 HTTP/1.1", "Host: a") + head("GET /3 HTTP/1.1", "Host: a"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := record(t, okAnswer)
			r := start(t, up.addr)
			conn := r.dial()
			if _, err := io.WriteString(conn, c.request); err != nil {
				t.Fatal(err)
			}
			answers := bufio.NewReader(conn)
			for range max(1, strings.Count(c.request, "GET /2")*3) {
				res, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Fatal(err)
				}
				if body := text(t, res); res.StatusCode != 200 || body != "ok" {
					t.Fatalf("answer is %d %q", res.StatusCode, body)
				}
			}
			conn.Close()
			want := c.want
			if want == "" {
				want = c.request
			}
			if got := up.seen(1); got != want {
				t.Errorf("the upstream got\n%q, want\n%q", got, want)
			}
		})
	}
}

// TestResponsesGoOnAsTheyCame has pairs of what the upstream says and what the client gets.
func TestResponsesGoOnAsTheyCame(t *testing.T) {
	get := head("GET / HTTP/1.1", "Host: a", "Connection: close")
	closes := func(lines ...string) string { return head(append(lines, "Connection: close")...) }
	for name, c := range map[string]struct{ request, response, want string }{
		"length":        {get, head("HTTP/1.1 200 OK", "Content-Length: 2", "x-Case: Y") + "ok", closes("HTTP/1.1 200 OK", "Content-Length: 2", "x-Case: Y") + "ok"},
		"no reason":     {get, head("HTTP/1.1 404 ", "Content-Length: 0"), closes("HTTP/1.1 404 ", "Content-Length: 0")},
		"until close":   {get, head("HTTP/1.1 200 OK", "X: y") + "to the end", closes("HTTP/1.1 200 OK", "X: y") + "to the end"},
		"HTTP/1.0":      {get, head("HTTP/1.0 200 OK", "X: y") + "to the end", closes("HTTP/1.1 200 OK", "X: y") + "to the end"},
		"chunks":        {get, head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + "2\r\nok\r\n0\r\nX-T: 1\r\n\r\n", closes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + "2\r\nok\r\n0\r\nX-T: 1\r\n\r\n"},
		"204":           {get, head("HTTP/1.1 204 No Content", "X: y"), closes("HTTP/1.1 204 No Content", "X: y")},
		"304":           {get, head("HTTP/1.1 304 Not Modified", "Content-Length: 99"), closes("HTTP/1.1 304 Not Modified", "Content-Length: 99")},
		"HEAD":          {head("HEAD / HTTP/1.1", "Host: a", "Connection: close"), head("HTTP/1.1 200 OK", "Content-Length: 99"), closes("HTTP/1.1 200 OK", "Content-Length: 99")},
		"interim first": {get, head("HTTP/1.1 103 Early Hints", "Link: </a>") + okAnswer, head("HTTP/1.1 103 Early Hints", "Link: </a>") + closes("HTTP/1.1 200 OK", "Content-Length: 2") + "ok"},
		"interim for HTTP/1.0": {head("GET / HTTP/1.0"), head("HTTP/1.1 103 Early Hints", "Link: </a>") + okAnswer,
			closes("HTTP/1.1 200 OK", "Content-Length: 2") + "ok"},
		"fields of one hop": {get, head("HTTP/1.1 200 OK", "Connection: keep-alive, X-Hop", "Keep-Alive: timeout=5", "X-Hop: 1", "Content-Length: 2") + "ok", closes("HTTP/1.1 200 OK", "Content-Length: 2") + "ok"},
		"large head": {get, head("HTTP/1.1 200 OK", "X: "+strings.Repeat("x", 60<<10), "Content-Length: 2") + "ok",
			closes("HTTP/1.1 200 OK", "X: "+strings.Repeat("x", 60<<10), "Content-Length: 2") + "ok"},
		"chunks for HTTP/1.0":           {head("GET / HTTP/1.0"), head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + "0\r\n\r\n", "502"},
		"no reason, and no space":       {get, head("HTTP/1.1 404", "Content-Length: 0"), closes("HTTP/1.1 404", "Content-Length: 0")},
		"status 999":                    {get, head("HTTP/1.1 999 Denied", "Content-Length: 0"), closes("HTTP/1.1 999 Denied", "Content-Length: 0")},
		"204 with a length":             {get, head("HTTP/1.1 204 No Content", "Content-Length: 5", "X: y") + "hello", closes("HTTP/1.1 204 No Content", "X: y")},
		"204 with chunks":               {get, head("HTTP/1.1 204 No Content", "Transfer-Encoding: chunked") + "0\r\n\r\n", closes("HTTP/1.1 204 No Content")},
		"304 with chunks":               {get, head("HTTP/1.1 304 Not Modified", "Transfer-Encoding: chunked"), closes("HTTP/1.1 304 Not Modified", "Transfer-Encoding: chunked")},
		"one length twice":              {get, head("HTTP/1.1 200 OK", "Content-Length: 2", "X: y", "content-length: 02", " folded") + "ok", closes("HTTP/1.1 200 OK", "Content-Length: 2", "X: y") + "ok"},
		"one length in a list":          {get, head("HTTP/1.1 200 OK", "Content-Length: 2 , 2") + "ok", closes("HTTP/1.1 200 OK", "Content-Length: 2") + "ok"},
		"zeros before a length":         {get, head("HTTP/1.1 200 OK", "Content-Length: 00000000000000000002") + "ok", closes("HTTP/1.1 200 OK", "Content-Length: 00000000000000000002") + "ok"},
		"both framings":                 {get, head("HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n", closes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + "0\r\n\r\n"},
		"chunks in HTTP/1.0":            {get, head("HTTP/1.0 200 OK", "Transfer-Encoding: chunked") + "2\r\nok\r\n0\r\n\r\n", closes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + "2\r\nok\r\n0\r\n\r\n"},
		"padded chunk sizes":            {get, head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + "2  \r\nok\r\n0 \r\n\r\n", closes("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + "2  \r\nok\r\n0 \r\n\r\n"},
		"a coding that changes nothing": {get, head("HTTP/1.1 200 OK", "Transfer-Encoding: identity", "Content-Length: 2") + "ok", closes("HTTP/1.1 200 OK", "Content-Length: 2") + "ok"},
		"bare LF":                       {get, "HTTP/1.1 200 OK\nX:y\nContent-Length: 2\n\nok", closes("HTTP/1.1 200 OK", "X: y", "Content-Length: 2") + "ok"},
		"folded":                        {get, head("HTTP/1.1 200 OK", "X: a", " b", "\tc", "Content-Length: 0"), closes("HTTP/1.1 200 OK", "X: a   b  \tc", "Content-Length: 0")},
		"space before the colon":        {get, head("HTTP/1.1 200 OK", "Content-Length \t: 5", "X : y") + "hello", closes("HTTP/1.1 200 OK", "Content-Length: 5", "X: y") + "hello"},
		"control in a value":            {get, head("HTTP/1.1 200 \x01", "Content-Length: 0", "X: \x01\x7f"), closes("HTTP/1.1 200 \x01", "Content-Length: 0", "X: \x01\x7f")},
		"lines that are no fields":      {get, head("HTTP/1.1 200 OK", "nonsense", " folded", "X/Y: z", ": z", "Transfer-Encoding\x0b: chunked", "Content-Length: 2") + "ok", closes("HTTP/1.1 200 OK", "Content-Length: 2") + "ok"},
		"Connection lists a length":     {get, head("HTTP/1.1 200 OK", "Connection: a[b, content-length", "Content-Length: 2") + "ok", closes("HTTP/1.1 200 OK", "Content-Length: 2") + "ok"},
		"fields of requests":            {get, head("HTTP/1.1 200 OK", "Expect: x", "Host: b c", "Content-Length: 2") + "ok", closes("HTTP/1.1 200 OK", "Expect: x", "Host: b c", "Content-Length: 2") + "ok"},
		"many fields":                   {get, head("HTTP/1.1 200 OK"+strings.Repeat("\r\nX: y", 900), "Content-Length: 2") + "ok", closes("HTTP/1.1 200 OK"+strings.Repeat("\r\nX: y", 900), "Content-Length: 2") + "ok"},
		"larger head":                   {get, head("HTTP/1.1 200 OK", "X: "+strings.Repeat("x", 200<<10), "Content-Length: 2") + "ok", closes("HTTP/1.1 200 OK", "X: "+strings.Repeat("x", 200<<10), "Content-Length: 2") + "ok"},
		"malformed status":              {get, head("HTTP/1.1 20 OK"), "502"},
		"status out of range":           {get, head("HTTP/1.1 099 OK", "Content-Length: 0"), "502"},
		"not HTTP":                      {get, "SSH-2.0-OpenSSH\r\n", "502"},
		"HTTP/2":                        {get, head("HTTP/2.0 200 OK"), "502"},
		"folded length":                 {get, head("HTTP/1.1 200 OK", "Content-Length: 5", " 6") + "hello", "502"},
		"folded first line":             {get, head("HTTP/1.1 200 OK", " X: a", "Content-Length: 0"), "502"},
		"two lengths":                   {get, head("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6") + "hello", "502"},
		"two lengths in a list":         {get, head("HTTP/1.1 200 OK", "Content-Length: 5, 6") + "hello", "502"},
		"length with a sign":            {get, head("HTTP/1.1 200 OK", "Content-Length: +5") + "hello", "502"},
		"another coding":                {get, head("HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked") + "0\r\n\r\n", "502"},
		"NUL in a value":                {get, head("HTTP/1.1 200 OK", "Content-Length: 0", "X: a\x00b"), "502"},
		"bare CR in a value":            {get, head("HTTP/1.1 200 OK", "Content-Length: 0", "X: a\rSet-Cookie: b"), "502"},
		"bare CR in a folded line":      {get, head("HTTP/1.1 200 OK", "Content-Length: 0", "X: a", " \rSet-Cookie: b"), "502"},
		"interim with a body":           {get, head("HTTP/1.1 103 Early Hints", "Content-Length: 5") + "hello" + okAnswer, "502"},
		"too large a head":              {get, head("HTTP/1.1 200 OK", "X: "+strings.Repeat("x", 300<<10)), "502"},
		"too many fields":               {get, head("HTTP/1.1 200 OK"+strings.Repeat("\r\nX: y", 1100), "Content-Length: 0"), "502"},
		"a change that nobody ordered":  {get, head("HTTP/1.1 101 Switching Protocols", "Upgrade: x", "Connection: upgrade"), "502"},
		"nothing":                       {get, "", "502"},
		"half a head":                   {get, "HTTP/1.1 200 OK\r\nX: y\r\n", "502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, nettest.Serve(t, func(conn *net.TCPConn) {
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, c.response)
					_ = conn.CloseWrite()
					_, _ = io.Copy(io.Discard, conn)
				}
			}))
			answer := r.talk(c.request)
			if c.want == "502" {
				if !strings.HasPrefix(answer, "HTTP/1.1 502 ") || strings.Count(answer, "HTTP/1.1 ") != 1 {
					t.Errorf("answer is %.300q", answer)
				}
				return
			}
			if answer != c.want {
				t.Errorf("answer is\n%q, want\n%q", answer, c.want)
			}
		})
	}
}
