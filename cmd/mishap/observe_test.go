package main

import (
	"context"
	"fmt"
	"mishap/internal/proxy/control"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// calls is "calls CONTROL PROXY REQUESTS ATTEMPTS GAP": it sends requests, each with an id, until one of so many attempts
// of each succeeds.
func calls(ts *testscript.TestScript, _ bool, args []string) {
	list, err := control.NewClient(ts.MkAbs(args[0])).Proxies(context.Background())
	ts.Check(err)
	address := ""
	for _, p := range list {
		if p.Name == args[1] {
			address = p.Listen
		}
	}
	requests, err := strconv.Atoi(args[2])
	ts.Check(err)
	attempts, err := strconv.Atoi(args[3])
	ts.Check(err)
	gap, err := time.ParseDuration(args[4])
	ts.Check(err)
	transport := &http.Transport{MaxIdleConnsPerHost: requests}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	var all sync.WaitGroup
	for i := range requests {
		time.Sleep(2 * time.Millisecond)
		all.Go(func() {
			for range attempts {
				r, _ := http.NewRequest(http.MethodGet, "http://"+address+"/pay", nil)
				r.Header.Set("Idempotency-Key", fmt.Sprint(i))
				answer, err := client.Do(r)
				if err == nil {
					answer.Body.Close()
					if answer.StatusCode < 500 {
						return
					}
				}
				time.Sleep(gap)
			}
		})
	}
	all.Wait()
}
