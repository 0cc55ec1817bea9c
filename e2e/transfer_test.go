package e2e_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// downloads starts one and reads it until it ends. More than headers have come when it returns.
func (c *client) downloads(path string) transfer {
	c.t.Helper()
	response, err := c.start("GET", path, nil, "")
	if err != nil || response.StatusCode != http.StatusOK {
		c.t.Errorf("GET %s: %v %v", path, response, err)
		return transfer{}
	}
	var moved atomic.Int64
	one := transfer{ended: make(chan error, 1), moved: moved.Load}
	go func() {
		defer response.Body.Close()
		_, err := io.Copy(counter{&moved}, response.Body)
		one.ended <- err
	}()
	return one
}

// uploads starts a form with a file that does not end, and returns when the server has begun to read it.
func (c *client) uploads(path string) transfer {
	c.t.Helper()
	body, form := io.Pipe()
	var moved atomic.Int64
	one := transfer{ended: make(chan error, 1), moved: moved.Load}
	go func() {
		response, err := c.start("POST", path, body, asForm)
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			err = errors.Join(err, fmt.Errorf("status %d", response.StatusCode))
		}
		_ = body.CloseWithError(err)
		one.ended <- err
	}()
	head := upload[:len(upload)-len("\r\n--cut--\r\n")]
	if _, err := io.WriteString(form, head); err != nil {
		c.t.Errorf("POST %s: %v", path, err)
		return one
	}
	go func() {
		for pace := time.NewTicker(50 * time.Millisecond); ; <-pace.C {
			n, err := form.Write(make([]byte, 1<<10))
			if moved.Add(int64(n)); err != nil {
				return
			}
		}
	}()
	return one
}

// start sends a request and leaves the answer to be read.
func (c *client) start(method, path string, body io.Reader, contentType string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.team != "" {
		r.Header.Set("X-Team-Id", c.team)
	}
	if body != nil { // sent when the server begins to read it: when the request is one that goes on
		r.Header.Set("Expect", "100-continue")
	}
	return (&http.Transport{DisableKeepAlives: true, DisableCompression: true, ExpectContinueTimeout: time.Minute}).RoundTrip(r)
}

// counter counts what is written.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}
