package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"mishap/internal/proxy/control"
)

// makeCalls is "calls CONTROL PROXY REQUESTS ATTEMPTS GAP": it sends requests, each with
// an id, until one of so many attempts of each succeeds.
func makeCalls(args []string) int {
	list, err := control.NewClient(args[0]).Proxies(context.Background())
	requests, _ := strconv.Atoi(args[2])
	attempts, _ := strconv.Atoi(args[3])
	gap, _ := time.ParseDuration(args[4])
	address := ""
	for _, p := range list {
		if p.Name == args[1] {
			address = p.Listen
		}
	}
	if err != nil || address == "" || requests*attempts == 0 || gap == 0 {
		fmt.Fprintln(os.Stderr, "calls:", err, address, requests, attempts, gap)
		return 1
	}
	transport := &http.Transport{MaxIdleConnsPerHost: requests}
	client := &http.Client{Transport: transport, Timeout: time.Minute}
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
	return 0
}
