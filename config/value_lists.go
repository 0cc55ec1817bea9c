package config

import (
	"fmt"
	"strings"
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
