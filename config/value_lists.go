package config

import (
	"fmt"
	"strings"
	"unicode"
)

// originsValue is a list of origins.
type originsValue struct{ to *[]string }

func (v originsValue) set(s string) error {
	*v.to = nil
	for i, item := range list(s) {
		var origin string
		if err := (originValue{&origin}).set(item); err != nil {
			return fmt.Errorf("entry %d: %w", i+1, err)
		}
		*v.to = append(*v.to, origin)
	}
	return nil
}

func (v originsValue) text() string { return strings.Join(*v.to, ",") }

// wordsValue is a list of words, with commas or blanks between them.
type wordsValue struct{ to *[]string }

func (v wordsValue) set(s string) error {
	*v.to = strings.FieldsFunc(s, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	return nil
}

func (v wordsValue) text() string { return strings.Join(*v.to, ",") }

// domainsValue is a list of whole domains of e-mail addresses.
type domainsValue struct{ to *[]string }

func (v domainsValue) set(s string) error {
	*v.to = nil
	for i, item := range list(s) {
		domain := strings.ToLower(item)
		if !strings.Contains(domain, ".") || strings.ContainsAny(domain, "@*/: ") || strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") {
			return fmt.Errorf("entry %d: write a whole domain, without @ and * (example.com)", i+1)
		}
		*v.to = append(*v.to, domain)
	}
	return nil
}

func (v domainsValue) text() string { return strings.Join(*v.to, ",") }
