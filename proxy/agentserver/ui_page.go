package agentserver

import (
	"bytes"
	_ "embed" // the scripts that go first into the page
	"errors"
	"io"
	"strings"

	"golang.org/x/net/html"
)

var (
	//go:embed ui_head.js
	headScript string
	//go:embed ui_reader.js
	readerScript string
	//go:embed ui_commands.js
	commandsScript string
	//go:embed ui_scope.js
	scopeScript string
)

// page is index.html cut into pieces: between two of them stands the nonce of the moment, and after the first our own head.
type page struct {
	before string   // up to and with <head>
	after  []string // the rest, cut where a nonce belongs
}

// preparePage finds the head and every script of the page. The page is the operator's own file, so its scripts may run.
func preparePage(index []byte) (page, error) {
	var p page
	var piece strings.Builder
	seen := false
	for z := html.NewTokenizer(bytes.NewReader(index)); ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			if !errors.Is(z.Err(), io.EOF) {
				return page{}, z.Err()
			}
			break
		}
		raw := string(z.Raw())
		tag, _ := z.TagName()
		switch {
		case kind == html.StartTagToken && string(tag) == "head" && !seen:
			seen = true
			p.before = piece.String() + raw
			piece.Reset()
		case kind == html.StartTagToken && string(tag) == "script" && seen:
			piece.WriteString(raw[:len("<script")] + ` nonce="`)
			p.after = append(p.after, piece.String())
			piece.Reset()
			piece.WriteString(`"` + raw[len("<script"):])
		default:
			piece.WriteString(raw)
		}
	}
	if !seen {
		return page{}, errors.New("index.html has no <head>")
	}
	p.after = append(p.after, piece.String())
	return p, nil
}

// render puts the page together. Our scripts come first, because the others read what it sets.
func (p page) render(nonce, head string) string {
	return p.before + `<script nonce="` + nonce + `">` + headScript + readerScript + commandsScript + scopeScript + `</script>` + head + strings.Join(p.after, nonce)
}
