package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// spelling is one request line, and what it is a spelling of. Its shape is the same in every run, as the target is not: it names
// a conversation. Those that tell most are always tried.
type spelling struct {
	method, target, body, origin, shape string
	always                              bool
}

// corpus is every operation as it should be asked, and otherwise: what differs at some segment is tried once for all operations
// that begin alike.
func (d *differential) corpus(t *testing.T) (all []spelling) {
	t.Helper()
	done, known := map[string]bool{}, upstreamOperations(t)
	for _, r := range readRequests(t) {
		if operation, _, _ := strings.Cut(r.key, " #"); !known[operation] {
			continue // ours: no upstream reads them
		}
		method, target := r.method, d.fill(r.path)
		body := d.fill(r.body)
		if strings.HasPrefix(body, "@") {
			body = ""
		}
		add := func(targets ...string) {
			for _, each := range targets {
				all = append(all, spelling{method: method, target: each, body: body, origin: target})
			}
		}
		path, query, _ := strings.Cut(target, "?")
		add(target)
		if len(path) > 1 {
			last := strings.LastIndex(strings.TrimRight(path, "/"), "/") + 1
			all = append(all, spelling{
				method: method, target: fmt.Sprintf("%s%%%02X%s", path[:last], path[last], withQuery(path[last+1:], query)), body: body, origin: target, always: true,
			})
			add(around(path, query)...)
		}
		add(d.identities(target)...)
		add(queries(path, query)...)
		for _, other := range methods {
			all = append(all, spelling{method: other, target: target, origin: target})
		}
		segments := strings.Split(path[1:], "/")
		for i := range segments {
			if prefix := strings.Join(segments[:i+1], "/"); segments[i] != "" && !done[prefix] {
				done[prefix] = true
				for _, changed := range segmentSpellings(segments, i) {
					add(withQuery("/"+changed, query))
				}
			}
		}
	}
	for i := range all {
		all[i].shape = d.nameless(all[i].target)
	}
	return slices.DeleteFunc(all, func(s spelling) bool { return strings.ContainsAny(s.target, "\r\n") })
}

// nameless takes out what differs from run to run.
func (d *differential) nameless(target string) string {
	hex := strings.ReplaceAll(d.id, "-", "")
	team := strings.TrimSuffix(d.dir, "/"+d.dir[strings.LastIndex(d.dir, "/")+1:])
	return strings.NewReplacer(d.dir, "{dir}", team, "{root}", d.id, "{id}", strings.ToUpper(d.id), "{ID}", hex, "{hex}", strings.ToUpper(hex), "{HEX}").Replace(target)
}

func withQuery(path, query string) string {
	if query == "" {
		return path
	}
	return path + "?" + query
}

// around are changes of a path as a whole.
func around(path, query string) (all []string) {
	for _, changed := range []string{
		path + "/", path + "//", path + "/.", path + "/..", path + "%2F", path + "%2f", path + "/%20", path + ";", path + ";a=b", path + "%3B",
		path + "%23x", path + "#x", path + "%3Fx", path + "%00", path + ".", path + "%", path + "%2", path + "\\", path + "%5C",
		"/" + path, "//x" + path, "/." + path, "/x/.." + path, "/%2e" + path, "/%2E%2E" + path, path[1:], "http://other.example" + path,
		"http://other.example/x/.." + path, "\\" + path[1:], strings.ToUpper(path), "/" + strings.ToUpper(path[1:2]) + path[2:],
		path + "/x/..", path + "/../" + path[strings.LastIndex(path, "/")+1:], strings.ReplaceAll(path, "/", "//"),
		strings.ReplaceAll(path, "/", "%2F"), "/" + strings.ReplaceAll(path[1:], "/", "%2f"),
	} {
		all = append(all, withQuery(changed, query))
	}
	return all
}

// segmentSpellings are changes of the path at one segment.
func segmentSpellings(segments []string, i int) (all []string) {
	segment := segments[i]
	put := func(text string) {
		changed := slices.Clone(segments)
		changed[i] = text
		all = append(all, strings.Join(changed, "/"))
	}
	for at := range min(len(segment), 20) {
		put(fmt.Sprintf("%s%%%02X%s", segment[:at], segment[at], segment[at+1:]))
		put(fmt.Sprintf("%s%%%02x%s", segment[:at], segment[at], segment[at+1:]))
		if letter := segment[at]; at == 0 && letter >= '0' && letter <= 'z' {
			put(fmt.Sprintf("%%25%02x%s", letter, segment[1:]))
			put(fmt.Sprintf("%%%%%02x%02x%s", '3', letter, segment[1:]))
			wide := string(rune(letter) - '!' + '！') // the same letter in full width
			put(wide + segment[1:])
			put(fmt.Sprintf("%%%X%%%X%%%X%s", wide[0], wide[1], wide[2], segment[1:]))
			put(fmt.Sprintf("%%C1%%%02X%s", letter|0x80, segment[1:])) // overlong
			put(fmt.Sprintf("%%u00%02x%s", letter, segment[1:]))
		}
	}
	put(strings.ReplaceAll(segment, "s", "ſ"))
	put(strings.ReplaceAll(segment, "s", "%C5%BF"))
	put(strings.ToUpper(segment))
	put(strings.ToUpper(segment[:1]) + segment[1:])
	for _, before := range []string{"", ".", "..", "%2e", "%2E%2E", "x/..", ".;", ";", "%20", "%2F", "x%2F..", "\\", "%5C", "..\\", "..%5C", "%00"} {
		put(before + "/" + segment)
		put(before + segment)
	}
	for _, behind := range []string{";", ";x=y", "%3B", "%00", "%20", "%09", "%0A", "%0D%0A", "%7F", "%23", "%23x", "%3F", ".", "..", "%2E", "\\", "%5C", "%2F", "é", "%C3%A9", "%E9", "%80", "+", "~", "*", "|", "\"", "<", "^", "{", "`", "\x01", "\x7f", "\x80", "?", "#"} {
		put(segment + behind)
	}
	return all
}

// identities are the forms of an id.
func (d *differential) identities(target string) (all []string) {
	hex := strings.ReplaceAll(d.id, "-", "")
	for _, form := range []string{
		hex, strings.ToUpper(d.id), strings.ToUpper(hex), "{" + d.id + "}", "%7B" + d.id + "%7D", "urn:uuid:" + d.id, "URN:UUID:" + d.id, "uuid:" + d.id,
		d.id + "0", d.id[1:], "0" + hex, hex[:16] + "-" + hex[16:], d.id + "%20", "%20" + d.id, d.id + "%0A", "+" + d.id[1:],
		fmt.Sprintf("%%%02x%s", d.id[0], d.id[1:]), strings.Replace(d.id, "-", "%2D", 1), strings.ReplaceAll(d.id, "-", "--"),
		strings.ReplaceAll(d.id, "-", "_"), "search", "count", "prepare-for-sandbox-pause", "00000000-0000-0000-0000-000000000000", "..", ".", "-",
	} {
		if changed := strings.Replace(target, d.id, form, 1); changed != target {
			all = append(all, changed)
		}
		if changed := strings.ReplaceAll(target, d.id, form); changed != target {
			all = append(all, changed)
		}
	}
	return all
}

// queries are further and doubled parameters.
func queries(path, query string) (all []string) {
	for _, more := range []string{
		"path=/etc/passwd", "path=/etc%2Fpasswd", "Path=/etc/passwd", "%70ath=/etc/passwd", "path[]=/etc", "path", "path=", "ids=x", "session_api_key=x", "cid=x",
		"page_id=x&page_id=y", "limit=1&limit=100", "a=b;path=/etc/passwd", "a=%00", "a=%", "a=%zz", "a=\xff", "a=%FF", "+=+", "&&", "=", "a=b#c", "?", "a=b?c",
	} {
		if query != "" {
			all = append(all, path+"?"+query+"&"+more, path+"?"+more+"&"+query)
		} else {
			all = append(all, path+"?"+more)
		}
	}
	return all
}
