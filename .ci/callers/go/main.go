// The command go calls a dependency that fails, as real Go programs do, for mishap to tell its policy.
//
//	go POLICY REQUESTS ATTEMPTS AT-ONCE URL…
//
// For each URL it makes so many requests with so many attempts each, at most AT-ONCE URLs at a time, and then prints the URL.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// spread lies between the begins of two requests: they would else all queue for the processor at once.
const spread = 5 * time.Millisecond

// client makes one request, with all its attempts. One that never gives up goes on until its process ends.
type client func(c *http.Client, url string, attempts int, end time.Time)

func main() {
	if len(os.Args) < 6 {
		fmt.Fprintln(os.Stderr, "usage: go POLICY REQUESTS ATTEMPTS AT-ONCE URL…")
		os.Exit(2)
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(os.Args[2+i])
	}
	all := clients()
	do, ok := all[os.Args[1]]
	if !ok {
		fmt.Fprintf(os.Stderr, "no policy %s\n", os.Args[1])
		os.Exit(2)
	}
	var out sync.Mutex
	var runs sync.WaitGroup
	places := make(chan struct{}, n[2])
	for _, url := range os.Args[5:] {
		places <- struct{}{}
		runs.Go(func() {
			run(do, url, n[0], n[1])
			out.Lock()
			fmt.Println(url)
			out.Unlock()
			<-places
		})
	}
	runs.Wait()
}

func clients() map[string]client {
	all := loops()
	for name, c := range cenkalti() {
		all[name] = c
	}
	for name, c := range amazon() {
		all[name] = c
	}
	return all
}

// run makes all requests of one run.
func run(do client, url string, requests, attempts int) {
	transport := &http.Transport{MaxIdleConnsPerHost: requests}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	end := time.Now().Add(time.Duration(requests)*spread + 1500*time.Millisecond)
	var all sync.WaitGroup
	for range requests {
		all.Go(func() { do(c, url, attempts, end) })
		time.Sleep(spread)
	}
	all.Wait()
}

// request is one logical request, whose attempts carry one trace-id, and each a span of its own.
type request struct{ trace string }

func newRequest() request { return request{random(16)} }

func random(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// attempt asks once.
func (r request) attempt(c *http.Client, url string) error {
	q, err := http.NewRequest(http.MethodGet, url+"/pay", nil)
	if err != nil {
		return err
	}
	q.Header.Set("Traceparent", "00-"+r.trace+"-"+random(8)+"-01")
	answer, err := c.Do(q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode >= 500 {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return nil
}
