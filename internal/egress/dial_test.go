package egress_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/egress"
)

func TestTheAddressThatIsDialledIsLookedAt(t *testing.T) {
	t.Parallel()
	asked := 0
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(inner.Close)
	for name, c := range map[string]struct {
		policy  egress.Policy
		reached bool
	}{
		"inner":   {egress.Policy{}, false},
		"allowed": {egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, true},
	} {
		before := asked
		res, err := c.policy.Client(5 * time.Second).Get(inner.URL)
		if err == nil {
			_ = res.Body.Close()
		}
		if (asked > before) != c.reached || c.reached != (err == nil) || !c.reached && !errors.Is(err, egress.ErrInner) {
			t.Errorf("%s: asked %v, %v", name, asked > before, err)
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	followed := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		followed = followed || r.URL.Path == "/inner"
		http.Redirect(w, r, "/inner", http.StatusFound)
	}))
	t.Cleanup(server.Close)
	policy := egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	res, err := policy.Client(5 * time.Second).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if followed || res.StatusCode != http.StatusFound {
		t.Errorf("followed %v, status %d", followed, res.StatusCode)
	}
}
