package proxy_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// deaf never answers, and does not notice when nobody waits any more.
type deaf struct{ release chan struct{} }

func (d deaf) Identify(*http.Request) (access.Caller, error) { panic("not asked") }

func (d deaf) Resolve(context.Context, access.Credential, string) (access.Caller, error) {
	<-d.release
	return access.Caller{}, errors.New("too late")
}

type noEvents struct{}

func (noEvents) Subscribe(func(postgres.Event)) {}
func (noEvents) Fresh() bool                    { return true }

func TestALeaseEndsOnTimeThoughAllWhoAreAskedHang(t *testing.T) {
	t.Parallel()
	const lease, every, many = 9500 * time.Millisecond, 200 * time.Millisecond, 20
	synctest.Test(t, func(t *testing.T) {
		release, ended := make(chan struct{}), make(chan time.Duration, many)
		r, end := proxy.NewRegistry(proxy.Config{
			Gate: deaf{release}, Events: noEvents{}, Log: slog.New(slog.DiscardHandler), Lease: lease, Recheck: every, Now: time.Now,
		})
		began := time.Now()
		var removes []func()
		for n := range many {
			removes = append(removes, r.Add(proxy.Live{
				Caller: access.Caller{Principal: &access.Principal{}, Credential: access.Credential{Form: access.FormKey, Token: strconv.Itoa(n)}},
				End:    func(int, string) { ended <- time.Since(began) },
			}))
		}
		for range many {
			if after := <-ended; after <= lease || after > lease+every {
				t.Errorf("ended after %s", after)
			}
		}
		for _, remove := range removes {
			remove()
		}
		close(release)
		end()
	})
}
