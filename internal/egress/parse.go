package egress

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// maxURL is more than any base URL needs.
const maxURL = 2048

// parse returns the host of a plainly written URL. It is stricter than url.Parse on purpose: what two parsers could read
// differently is refused, because the one that dials is not this one.
func parse(raw string) (host string, err error) {
	rest, ok := strings.CutPrefix(raw, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(raw, "http://")
	}
	if !ok || len(raw) > maxURL || strings.ContainsFunc(raw, odd) {
		return "", errors.New("not a plain http or https URL")
	}
	authority := rest
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		authority = rest[:end]
	}
	if _, err := url.Parse(raw); err != nil {
		return "", errors.New("not parsable")
	}
	return parseAuthority(authority)
}

// odd finds characters that have no place in a plain URL: controls, blanks, everything beyond ASCII, and those that parsers
// treat differently.
func odd(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\\#\"<>^`{|}", r)
}

func parseAuthority(authority string) (string, error) {
	if strings.HasPrefix(authority, "[") {
		return parseIPv6(authority)
	}
	host, port, hasPort := strings.Cut(authority, ":")
	if hasPort && !goodPort(port) {
		return "", errors.New("bad port")
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is4() {
		return host, nil
	}
	return host, checkName(host)
}

func parseIPv6(authority string) (string, error) {
	host, after, closed := strings.Cut(authority[1:], "]")
	addr, err := netip.ParseAddr(host)
	if !closed || err != nil || !addr.Is6() || addr.Zone() != "" || addr.String() != host {
		return "", errors.New("not an IPv6 address in its shortest form")
	}
	if port, hasPort := strings.CutPrefix(after, ":"); after != "" && (!hasPort || !goodPort(port)) {
		return "", errors.New("bad port")
	}
	return host, nil
}

// goodPort accepts 1 to 65535, written without zeros in front.
func goodPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == s
}

// checkName accepts letters, digits, hyphens and underscores in labels. A last label that reads as a number is refused:
// 127.1, 2130706433, 0x7f.1 and 0177.0.0.1 are addresses to some resolvers.
func checkName(host string) error {
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInName) {
			return errors.New("bad host name")
		}
	}
	last := strings.ToLower(labels[len(labels)-1])
	if len(host) > 253 || strings.HasPrefix(last, "0x") || strings.Trim(last, "0123456789") == "" {
		return errors.New("bad host name or a number in place of one")
	}
	return nil
}

func notInName(r rune) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	return !strings.ContainsRune(plain, r)
}
