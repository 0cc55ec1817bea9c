package egress_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/egress"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// hosts is a resolver with a fixed answer for each name.
type hosts map[string][]string

func (h hosts) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	texts, ok := h[strings.ToLower(host)]
	if !ok {
		return nil, errors.New("no such host")
	}
	addrs := make([]netip.Addr, len(texts))
	for i, text := range texts {
		addrs[i] = netip.MustParseAddr(text)
	}
	return addrs, nil
}

func policy(allow ...string) *egress.Policy {
	p := &egress.Policy{Resolver: hosts{
		"api.example.com": {"93.184.216.34", "2606:2800:220:1::1"},
		"mixed.example":   {"93.184.216.34", "10.0.0.5"},
		"mapped.example":  {"::ffff:127.0.0.1"},
		"zone.example":    {"fe80::1%eth0"},
		"inner.example":   {"10.0.0.5"},
		"nat64.example":   {"64:ff9b::808:808"},
		"nat64in.example": {"64:ff9b::a00:5"},
		"localhost":       {"127.0.0.1", "::1"},
		"empty.example":   {},
		"many.example":    strings.Fields(strings.Repeat("93.184.216.34 ", 65)),
		"ollama":          {"172.18.0.5"},
	}}
	for _, a := range allow {
		p.Allow = append(p.Allow, netip.MustParsePrefix(a))
	}
	return p
}

func TestPlainPublicURLsPass(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"https://api.example.com", "https://api.example.com/v1", "http://API.example.com:8080/v1/?x=1", "https://93.184.216.34/v1",
		"https://[2606:4700:4700::1111]:443/", "https://nat64.example",
	} {
		if err := policy().Check(t.Context(), raw); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestWhatIsNotPlainIsRefusedBeforeAnyLookup(t *testing.T) {
	t.Parallel()
	p := &egress.Policy{Resolver: lookupFunc(func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
	})}
	for _, raw := range []string{
		"", "api.example.com", "//api.example.com", "ftp://api.example.com", "file:///etc/passwd", "gopher://x", "HTTPS://api.example.com",
		" https://api.example.com", "https:/api.example.com", "https:api.example.com", "https://", "https:///v1", "https://:80", "https://?x",
		"https://user@api.example.com", "https://user:pw@api.example.com", "https://api.example.com@127.0.0.1", "https://a\\@127.0.0.1",
		"https://api.example.com#x", "https://api.example.com:0", "https://api.example.com:", "https://api.example.com:080",
		"https://api.example.com:65536", "https://api.example.com:80:80", "https://api.example.com.", "https://.example.com", "https://a..b",
		"https://2130706433", "https://0x7f000001", "https://0177.0.0.1", "https://127.1", "https://0x7f.0.0.1", "https://1.2.3", "https://1.2.3.4.5",
		"https://127.0.0.1.", "https://127.0.0.01", "https://host.123", "https://host.0xff", "https://exa%6dple.com", "https://a%00.com",
		"https://[::1", "https://[::1]x", "https://[::1]:", "https://[fe80::1%25eth0]", "https://[0:0:0:0:0:0:0:1]", "https://[2606:4700:4700::1111]80",
		"https://[127.0.0.1]", "https://2606:4700::1", "https://ex\tample.com", "https://ex\nample.com", "https://exämple.com", "https://１２７.0.0.1",
		"https://example.com\x00", "https://a b", "https://a,b", "https://a;b", "https://" + strings.Repeat("a", 64) + ".com",
		"https://example.com/" + strings.Repeat("a", 2048), "https://example.com/%zz",
	} {
		if err := p.Check(t.Context(), raw); err == nil {
			t.Errorf("%q passed", raw)
		}
	}
}

type lookupFunc func(context.Context, string) ([]netip.Addr, error)

func (f lookupFunc) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	return f(ctx, host)
}

func TestAddressesThatAreNotPublicAreRefused(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"https://127.0.0.1", "https://0.0.0.0", "https://10.1.2.3", "https://172.16.0.1", "https://172.31.255.255", "https://192.168.1.1",
		"https://169.254.169.254/latest/meta-data", "https://100.64.0.1", "https://100.100.100.200", "https://168.63.129.16", "https://192.0.0.192",
		"https://192.0.2.1", "https://198.18.0.1", "https://198.19.255.255", "https://198.51.100.1", "https://203.0.113.1", "https://192.88.99.1",
		"https://224.0.0.1", "https://240.0.0.1", "https://255.255.255.255",
		"https://[::]", "https://[::1]", "https://[fe80::1]", "https://[fc00::1]", "https://[fd00:ec2::254]", "https://[ff02::1]",
		"https://[::ffff:127.0.0.1]", "https://[::ffff:10.0.0.1]", "https://[::7f00:1]", "https://[64:ff9b::7f00:1]", "https://[64:ff9b::a9fe:a9fe]",
		"https://[64:ff9b:1::1]", "https://[2002:7f00:1::]", "https://[2001::1]", "https://[2001:db8::1]", "https://[2001:2::1]", "https://[3fff::1]",
		"https://[fec0::1]", "https://[4000::1]", "https://[5f00::1]", "https://[100::1]",
		"https://mixed.example", "https://mapped.example", "https://zone.example", "https://inner.example", "https://nat64in.example",
		"https://localhost:8000", "https://empty.example", "https://many.example", "https://unknown.example", "http://ollama:11434",
	} {
		if err := policy().Check(t.Context(), raw); err == nil {
			t.Errorf("%s passed", raw)
		}
	}
}

func TestTheEdgesOfPrivateNetworksArePublic(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
		"169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "1.0.0.0"} {
		if !egress.Public(netip.MustParseAddr(text)) {
			t.Errorf("%s is public", text)
		}
	}
}

func TestAllowOpensExactlyItsNetworks(t *testing.T) {
	t.Parallel()
	p := policy("10.0.0.0/24", "127.0.0.1/32")
	for raw, want := range map[string]bool{
		"http://10.0.0.5": true, "http://10.0.1.5": false, "http://127.0.0.1:9000/v1": true, "http://127.0.0.2": false, "http://[::1]": false,
		"http://inner.example": true, "http://mixed.example": true, "http://mapped.example": true, "http://nat64in.example": true, "http://127.1": false,
		"http://localhost": false,
	} {
		if err := p.Check(t.Context(), raw); (err == nil) != want {
			t.Errorf("%s: %v, want %v", raw, err, want)
		}
	}
}

func TestARefusalTellsNeitherTheURLNorWhetherAnInnerNameExists(t *testing.T) {
	t.Parallel()
	unknown, inner := policy().Check(t.Context(), "https://unknown.example"), policy().Check(t.Context(), "https://inner.example")
	if problem.Of(unknown).Detail != problem.Of(inner).Detail || problem.Of(unknown).Status != http.StatusUnprocessableEntity {
		t.Errorf("%v and %v differ", unknown, inner)
	}
	text, _ := problem.Of(policy().Check(t.Context(), "https://user:hunter2@x")).Detail.(string)
	if strings.Contains(text, "hunter2") || !strings.Contains(text, "write it as") {
		t.Errorf("text: %q", text)
	}
}

func TestAResolverThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	p := &egress.Policy{Timeout: time.Millisecond, Resolver: lookupFunc(func(ctx context.Context, _ string) ([]netip.Addr, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})}
	if err := p.Check(t.Context(), "https://api.example.com"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// FuzzCheck holds two promises: where every name leads inward, only URLs with a literal public address pass; and what passes
// is read by net/url as the same plain host.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"https://api.example.com/v1", "http://[::1]:80/", "https://93.184.216.34", "https://a@b", "http://0x7f.1", "https://a\\b"} {
		f.Add(seed)
	}
	inward := &egress.Policy{Resolver: lookupFunc(func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	})}
	f.Fuzz(func(t *testing.T, raw string) {
		if inward.Check(t.Context(), raw) != nil {
			return
		}
		u, err := url.Parse(raw)
		if err != nil || u.User != nil || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("%q passed: %v", raw, err)
		}
		if addr, err := netip.ParseAddr(u.Hostname()); err != nil || !egress.Public(destination(addr)) {
			t.Fatalf("%q passed, host %q", raw, u.Hostname())
		}
	})
}

// destination is where packets to addr go: the IPv4 address inside mapped and NAT64 forms.
func destination(addr netip.Addr) netip.Addr {
	addr = addr.Unmap()
	if raw := addr.As16(); netip.MustParsePrefix("64:ff9b::/96").Contains(addr) {
		return netip.AddrFrom4([4]byte(raw[12:]))
	}
	return addr
}
