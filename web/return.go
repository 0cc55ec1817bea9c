package web

import (
	"net/url"
	"strings"
)

// start is where people go who bring no usable return path.
const start = "/"

// maxReturn bounds a return path: it travels in a query and in a hidden field.
const maxReturn = 2048

// SafeReturn gives back path when it surely leads to this host, and the start page otherwise. Only a path that is the same
// after it was taken apart and put together again passes: what a browser might read differently than we do is not repaired.
func SafeReturn(path string) string {
	if !printable(path) {
		return start
	}
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return start
	}
	if rebuild(u) != path || !plainPath(u.Path) {
		return start
	}
	return path
}

// printable refuses what browsers cut out or fold: blanks, control characters, backslashes, and everything beyond ASCII.
func printable(path string) bool {
	if len(path) > maxReturn || !strings.HasPrefix(path, "/") {
		return false
	}
	return strings.IndexFunc(path, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) < 0
}

func rebuild(u *url.URL) string {
	local := url.URL{
		Path: u.Path, RawPath: u.RawPath, ForceQuery: u.ForceQuery, RawQuery: u.RawQuery,
		Fragment: u.Fragment, RawFragment: u.RawFragment,
	}
	return local.String()
}

// plainPath judges the decoded path. The pages of this package are no place to return to: it would go round in circles.
func plainPath(path string) bool {
	if strings.IndexFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) >= 0 {
		return false
	}
	if path == devicePage { // which sends nobody away who is signed in
		return true
	}
	if strings.Contains(path, "//") || path == "/account" || strings.HasPrefix(path, "/account/") {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}
