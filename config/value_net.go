package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

type networksValue struct {
	to *[]netip.Prefix
	// wide allows a network of all addresses
	wide bool
}

func (v networksValue) set(s string) error {
	*v.to = nil
	for i, item := range list(s) {
		prefix, err := readNetwork(item)
		if err != nil {
			return fmt.Errorf("entry %d: %w", i+1, err)
		}
		if prefix.Bits() == 0 && !v.wide {
			return fmt.Errorf("entry %d names every address; write the network of your own proxy", i+1)
		}
		*v.to = append(*v.to, prefix)
	}
	return nil
}

func (v networksValue) text() string {
	texts := make([]string, len(*v.to))
	for i, p := range *v.to {
		texts[i] = p.String()
	}
	return strings.Join(texts, ",")
}

func readNetwork(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" && !addr.Is4In6() {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return prefix, errors.New("write an address (10.1.2.3) or a network (10.0.0.0/8)")
	case prefix.Addr().Is4In6():
		return prefix, errors.New("write an IPv4 network in its own form (10.0.0.0/8)")
	case prefix.Masked() != prefix:
		return prefix, fmt.Errorf("has bits beyond its mask; write %s", prefix.Masked())
	}
	return prefix, nil
}

// listenValue is host:port, or the absolute path of a Unix socket.
type listenValue struct{ to *string }

// maxSocketPath is the longest path of a Unix socket that every system takes.
const maxSocketPath = 103

func (v listenValue) set(s string) error {
	if strings.HasPrefix(s, "/") {
		if !canonical(s) || len(s) > maxSocketPath {
			return fmt.Errorf("write the absolute path of a Unix socket, without . and .. and doubled or trailing slashes, of at most %d characters", maxSocketPath)
		}
		*v.to = s
		return nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || strings.ContainsAny(host, "/ @") {
		return errors.New("write an address with its port (127.0.0.1:9091; 0.0.0.0:9091 for every interface), or the absolute path of a Unix socket")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("write a port from 0 to 65535; 0 takes any free one")
	}
	*v.to = s
	return nil
}

func (v listenValue) text() string { return *v.to }

// originValue is a URL of scheme, host and port only.
type originValue struct{ to *string }

func (v originValue) set(s string) error {
	u, err := readURL(s)
	if err != nil {
		return err
	}
	if u.Path != "" && u.Path != "/" {
		return errors.New("write scheme, host and port only, without a path (https://example.com)")
	}
	*v.to = u.Scheme + "://" + u.Host
	return nil
}

func (v originValue) text() string { return *v.to }

// urlValue is a URL that may have a path.
type urlValue struct{ to *string }

func (v urlValue) set(s string) error {
	u, err := readURL(s)
	if err != nil {
		return err
	}
	*v.to = u.String()
	return nil
}

func (v urlValue) text() string { return *v.to }

func readURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.Opaque != "":
		return nil, errors.New("write a URL such as https://example.com")
	case u.User != nil:
		return nil, errors.New("take user name and password out of the URL")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("take query and fragment out of the URL")
	case !goodPort(u):
		return nil, errors.New("write a port from 1 to 65535, or none")
	}
	u.Host = strings.ToLower(u.Host)
	return u, nil
}

func goodPort(u *url.URL) bool {
	if !strings.HasSuffix(u.Host, ":") && u.Port() == "" {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}
