package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

const portToxiproxy = 8474

// toxiproxy is the API of toxiproxy.
type toxiproxy struct{ http *http.Client }

func (b *bench) startToxiproxy() (*process, controls, error) {
	p, err := startProcess(b.dir, "toxiproxy", b.bin+"/server", "-host", "127.0.0.1", "-port", fmt.Sprint(portToxiproxy))
	if err != nil {
		return nil, nil, err
	}
	if err := awaitPort(portToxiproxy); err != nil {
		return p, nil, err
	}
	t := toxiproxy{&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	for _, s := range services() {
		err := t.call(context.Background(), http.MethodPost, "/proxies", map[string]any{
			"name": s.name, "listen": address(s.listen), "upstream": b.upstreamAt(s), "enabled": true})
		if err != nil {
			return p, nil, err
		}
	}
	return p, t, nil
}

func (t toxiproxy) add(ctx context.Context, service string, delay time.Duration) error {
	return t.call(ctx, http.MethodPost, "/proxies/"+service+"/toxics", map[string]any{
		"name": "delay", "type": "latency", "stream": "downstream", "toxicity": 1.0,
		"attributes": map[string]any{"latency": delay.Milliseconds(), "jitter": 0}})
}

func (t toxiproxy) remove(ctx context.Context, service string) error {
	return t.call(ctx, http.MethodDelete, "/proxies/"+service+"/toxics/delay", nil)
}

func (t toxiproxy) call(ctx context.Context, method, path string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+address(portToxiproxy)+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	response, err := t.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if answer, _ := io.ReadAll(response.Body); response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	return nil
}
