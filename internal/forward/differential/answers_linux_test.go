package differential

import (
	"io"
	"net"
	"os/exec"
	"strings"
)

// plainAnswers are unusual answers of HTTP/1 that others pass on: legal ones, and such that nobody can read in two ways.
func plainAnswers() []string {
	lines := func(l ...string) string { return strings.Join(l, "\r\n") + "\r\n\r\n" }
	ok := lines("HTTP/1.1 200 OK", "Content-Length: 4") + "fine"
	chunked := func(body string) string { return lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + body }
	return []string{
		// The status line.
		lines("HTTP/1.1 200 ", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 200", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 200 caf\xe9 \x01", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 299 Odd", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 599 Odd", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 600 Odd", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 999 Request denied", "Content-Length: 4") + "fine",
		lines("HTTP/1.0 200 OK", "Content-Length: 4") + "fine",
		lines("HTTP/1.0 200 OK", "X-A: b") + "to the end",
		lines("HTTP/1.1 200 OK") + "to the end",
		// Interim answers.
		lines("HTTP/1.1 100 Continue") + ok,
		lines("HTTP/1.1 102 Processing") + lines("HTTP/1.1 103 Early Hints", "Link: </a>") + lines("HTTP/1.1 199 Odd") + ok,
		// Answers without a body.
		lines("HTTP/1.1 204 No Content"),
		lines("HTTP/1.1 204 No Content", "Content-Length: 0"),
		lines("HTTP/1.1 204 No Content", "Content-Length: 5"),
		lines("HTTP/1.1 204 No Content", "Transfer-Encoding: chunked"),
		lines("HTTP/1.1 205 Reset Content", "Content-Length: 0"),
		lines("HTTP/1.1 304 Not Modified", "Content-Length: 100"),
		lines("HTTP/1.1 304 Not Modified", "Transfer-Encoding: chunked"),
		// Lengths.
		lines("HTTP/1.1 200 OK", "Content-Length: 4", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 200 OK", "Content-Length: 4, 4") + "fine",
		lines("HTTP/1.1 200 OK", "Content-Length: 0000000000000000000000004") + "fine",
		lines("HTTP/1.1 200 OK", "CONTENT-LENGTH:4\t ") + "fine",
		// Chunks.
		chunked("4;name=value;flag\r\nfine\r\n0;last\r\nX-Sum: 1\r\n\r\n"),
		chunked("4  \r\nfine\r\n0 \r\n\r\n"),
		chunked("4;" + strings.Repeat("e", 3000) + "\r\nfine\r\n0\r\n\r\n"),
		lines("HTTP/1.0 200 OK", "Transfer-Encoding: chunked") + "4\r\nfine\r\n0\r\n\r\n",
		lines("HTTP/1.1 200 OK", "Transfer-Encoding: identity", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 200 OK", "Content-Length: 9", "Transfer-Encoding: chunked") + "4\r\nfine\r\n0\r\n\r\n",
		// Fields.
		"HTTP/1.1 200 OK\nX-A: b\nContent-Length: 4\n\nfine",
		"HTTP/1.1 200 OK\r\nX-A: b\nContent-Length: 4\r\n\r\nfine",
		lines("HTTP/1.1 200 OK", "Y-A: b", "\t c", " d", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 200 OK", "X-A : b", "Content-Length \t: 4") + "fine",
		lines("HTTP/1.1 200 OK", "X-A: a\x01\x7fb", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 200 OK", "X-A: caf\xe9 \xc3\xa9", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 200 OK", "X-!#$%&'*+.^_`|~: b", "X-Empty:", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 200 OK", "X/A: b", "X-A: c", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 200 OK", "Connection: keep-alive, X-Hop, a[b", "X-Hop: 1", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 200 OK", "Connection: Content-Length", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 200 OK", "Expect: 100-continue", "Host: b", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 200 OK", "Connection: Upgrade", "Upgrade: h2,h2c", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 426 Upgrade Required", "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 4") + "fine",
		lines("HTTP/1.1 200 OK", strings.Repeat("Y: z\r\n", 900)+"Content-Length: 4") + "fine",
		lines("HTTP/1.1 200 OK", "Y: "+strings.Repeat("z", 90<<10), "Content-Length: 4") + "fine",
		lines("HTTP/1.1 200 OK", strings.Repeat("Y: "+strings.Repeat("z", 40<<10)+"\r\n", 5)+"Content-Length: 4") + "fine",
		// The whole of it.
		ok + "more than was announced",
	}
}

// plainly answers with the nth, and ends the connection, so that each stands for itself.
func plainly(c *net.TCPConn, path string) bool {
	_, _ = io.WriteString(c, plainAnswers()[number(path)])
	return false
}

// heads asks with curl, and gives the status, the fields that tests send on purpose, and how much of a body came.
func heads(flags string, paths ...string) func(*bed, string) outcome {
	return func(b *bed, address string) outcome {
		o := outcome{}
		for _, path := range paths {
			args := append(strings.Fields(flags), "-sS", "-o", "/dev/null", "-D", "-", "--max-time", "60",
				"-w", "%{http_code} body %{size_download} exit %{exitcode}", "http://"+address+path)
			out, _ := exec.Command(find(b.T, "curl"), args...).Output()
			said := []string{path + ":"}
			for _, line := range strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' || r == '\r' }) {
				line = strings.ReplaceAll(line, " :", ":") // white space that a proxy must take out (RFC 9112, 5.1)
				if (strings.HasPrefix(line, "X-A") || strings.HasPrefix(line, "X-S")) || strings.HasPrefix(line, "HTTP/1.1 1") || strings.Contains(line, " exit ") {
					said = append(said, strings.Join(strings.Fields(line), " "))
				}
			}
			o.add(strings.Join(said, " "))
		}
		return o
	}
}
