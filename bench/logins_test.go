package bench_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// loginPath is where the measured product signs people in.
const loginPath = "/bench/login"

// withLogins is the product with its accounts beside it, in one process as in the program.
func withLogins(p *product) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+loginPath, func(w http.ResponseWriter, r *http.Request) {
		if _, err := p.auth.Login(r.Context(), r.FormValue("username"), r.FormValue("password"), auth.Client{}); err != nil {
			problem.Write(w, err)
		}
	})
	mux.Handle("/", p.engine)
	return mux
}

const (
	loginClients = 50
	roundTime    = 4 * time.Second
	pauseBetween = 5 * time.Millisecond // two proxied requests: 200 a second
)

// BenchmarkLogins is what fifty people who sign in at the same time, again and again and half of them with a wrong password, do to
// those who work: the 99th percentile of proxied requests, in rounds with and without sign-ins that take turns. One iteration is one
// round of each. Requests are sent at a fixed rate, and their time counts from when they were due. "beside" is as the program does
// it, with passwords hashed in a process beside it; "within" shows why.
func BenchmarkLogins(b *testing.B) {
	s := newStand(b)
	for what, side := range map[string]string{"beside": sideProduct, "within": sideWithin} {
		b.Run(what, func(b *testing.B) { s.logins(b, startSide(b, side, s.upstream.URL, s.database)) })
	}
}

func (s *stand) logins(b *testing.B, at *side) {
	s.proxied(b, at) // warm
	var quiet, loaded, ratios []float64
	var hashed, refused int64
	for b.Loop() {
		before := p99(s.proxied(b, at))
		stop, count := signIn(b, at.url)
		during := p99(s.proxied(b, at))
		stop()
		hashed, refused = hashed+count.in.Load()+count.wrong.Load(), refused+count.busy.Load()
		quiet, loaded, ratios = append(quiet, before), append(loaded, during), append(ratios, during/before)
	}
	b.ReportMetric(median(quiet)*1000, "quiet-p99-ms")
	b.ReportMetric(median(loaded)*1000, "loaded-p99-ms")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(float64(hashed)/(float64(len(ratios))*roundTime.Seconds()), "hashes/s")
	b.ReportMetric(float64(refused)/float64(len(ratios)), "busy/round")
}

func p99(times []float64) float64 {
	slices.Sort(times)
	return times[int(math.Ceil(0.99*float64(len(times))))-1]
}

// proxied sends requests for one round and returns how long each took.
func (s *stand) proxied(b *testing.B, at *side) (times []float64) {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}
	defer client.CloseIdleConnections()
	target := at.url + "/api/conversations/" + s.ids[0].String() + passed
	var mu sync.Mutex
	var all sync.WaitGroup
	begin := time.Now()
	for due := begin; due.Before(begin.Add(roundTime)); due = due.Add(pauseBetween) {
		time.Sleep(time.Until(due))
		all.Go(func() {
			s.pass(b, client, target)
			mu.Lock()
			defer mu.Unlock()
			times = append(times, time.Since(due).Seconds())
		})
	}
	all.Wait()
	return times
}

// outcomes counts how sign-ins ended.
type outcomes struct{ in, wrong, busy atomic.Int64 }

// signIn has fifty people sign in until stop is called. Who is told to come back does so when they were told to.
func signIn(b *testing.B, address string) (stop func(), counted *outcomes) {
	ctx, cancel := context.WithCancel(context.Background())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: loginClients}}
	counted = &outcomes{}
	var all sync.WaitGroup
	for n := range loginClients {
		all.Go(func() {
			for ctx.Err() == nil {
				if err := counted.try(ctx, client, address, n); err != nil && ctx.Err() == nil {
					b.Error(err)
					return
				}
			}
		})
	}
	return func() { cancel(); all.Wait(); client.CloseIdleConnections() }, counted
}

func (o *outcomes) try(ctx context.Context, client *http.Client, address string, n int) error {
	form := url.Values{"username": {email}, "password": {password}}
	if n%2 == 0 {
		form.Set("password", "wrong")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address+loginPath, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		o.in.Add(1)
	case http.StatusBadRequest:
		o.wrong.Add(1)
	case http.StatusServiceUnavailable:
		o.busy.Add(1)
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
		}
	default:
		return fmt.Errorf("a sign-in answered %d", res.StatusCode)
	}
	return nil
}
