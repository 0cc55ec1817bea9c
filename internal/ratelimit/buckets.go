package ratelimit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The kinds of what can be banned.
const (
	KindIP      = "ip"
	KindAccount = "account"
)

// buckets are what one try counts in. All lists have one entry for each.
type buckets struct {
	keys  [][]byte // hashed: what the rows are found by
	kinds []string // readable: what bans are found by
	names []string
	rules []Rule

	bans          bool   // they count for this action
	account, pair []byte // the key of the account whose failures count, and that of the account at this address; nil without
}

// buckets finds the rules of an action for each of keys, which are "email:…", "user:…" or "ip:…".
func (l *Limiter) buckets(action string, keys []string) (buckets, error) {
	var b buckets
	set, known := rules()[action]
	if !known {
		return buckets{}, fmt.Errorf("there is no limit for %q: write its rule into the table", action)
	}
	b.bans = set.banned
	var address string
	for _, key := range keys {
		kind, name, err := split(key)
		if err != nil {
			return buckets{}, err
		}
		rule := set.account
		if kind == KindIP {
			rule, address = set.address, name
		}
		if rule.Burst == 0 {
			continue
		}
		hash := l.hash(action, kind, name)
		if kind == KindAccount && rule.Longest > 0 {
			b.account = hash
		}
		b.keys, b.kinds, b.names, b.rules = append(b.keys, hash), append(b.kinds, kind), append(b.names, name), append(b.rules, rule)
	}
	if set.paired && b.account != nil && address != "" {
		b.pair = l.hash(action, "pair", string(b.account)+address)
	}
	return b, nil
}

// split reads a key. Of an address of IPv6 only the network counts: whoever has one address of it has all.
func split(key string) (kind, name string, err error) {
	word, name, _ := strings.Cut(key, ":")
	switch word {
	case "email":
		return KindAccount, Fold(name), nil
	case "user":
		return KindAccount, key, nil
	case "ip":
		network, err := Network(name)
		return KindIP, network, err
	}
	return "", "", fmt.Errorf("a limit has no key of the form %q", word)
}

// Network is what of an address counts: an IPv4 address itself, of an IPv6 address the network of 64 bits.
func Network(address string) (string, error) {
	ip, err := netip.ParseAddr(strings.TrimSuffix(address, "/64"))
	if err != nil {
		return "", fmt.Errorf("%q is no IP address", address)
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String(), nil
	}
	prefix, _ := ip.Prefix(64) // cannot fail for IPv6
	return prefix.String(), nil
}

func (l *Limiter) hash(parts ...string) []byte {
	mac := hmac.New(sha256.New, l.cfg.Secret)
	for _, part := range parts {
		fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return mac.Sum(nil)
}

// unread are keys that no try looks at, one for each bucket.
func (b buckets) unread() [][]byte {
	keys := make([][]byte, len(b.keys))
	for n, key := range b.keys {
		sum := sha256.Sum256(key)
		keys[n] = sum[:]
	}
	return keys
}

// step is how soon a try of one bucket comes back.
func (b buckets) step(key []byte) time.Duration {
	return b.rules[slices.IndexFunc(b.keys, func(k []byte) bool { return bytes.Equal(k, key) })].Refill
}

func (b buckets) steps() []string { return b.times(func(r Rule) time.Duration { return r.Refill }) }
func (b buckets) leaks() []string {
	return b.times(func(r Rule) time.Duration { return max(r.Forget, time.Second) })
}
func (b buckets) longests() []string {
	return b.times(func(r Rule) time.Duration { return r.Longest })
}
func (b buckets) bursts() []int64 { return b.counts(func(r Rule) int { return r.Burst }) }
func (b buckets) frees() []int64 {
	return b.counts(func(r Rule) int {
		if r.Longest == 0 {
			return 1 << 20 // failures of this action are not counted
		}
		return r.Free
	})
}

func (b buckets) times(of func(Rule) time.Duration) []string {
	list := make([]string, len(b.rules))
	for n, r := range b.rules {
		list[n] = interval(of(r))
	}
	return list
}

func (b buckets) counts(of func(Rule) int) []int64 {
	list := make([]int64, len(b.rules))
	for n, r := range b.rules {
		list[n] = int64(of(r))
	}
	return list
}
