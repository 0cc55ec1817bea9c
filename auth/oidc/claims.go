package oidc

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/openhands-saas/openhands-saas/auth"
)

// claims is what an issuer says about somebody.
type claims struct {
	Subject  string
	Email    string // as auth.ParseEmail returns it; empty: none that can be used
	Verified bool   // the issuer says that the address is theirs
	Name     *string
	Groups   []string
	Told     bool // the issuer said in which groups they are, if in any
}

// maxSubject is the bound that OpenID Connect has for subjects.
const maxSubject = 255

// said is the claims of a token or of the userinfo endpoint, as they come.
type said map[string]any

func (s said) text(name string) string {
	text, _ := s[name].(string)
	return text
}

// isTrue takes the text "true", too: some issuers write that.
func (s said) isTrue(name string) bool { return s[name] == true || s[name] == "true" }

// email is the address, when it is one that an account may have.
func (s said) email() string { return usable(s.text("email")) }

func usable(address string) string {
	email, err := auth.ParseEmail(address)
	if err != nil {
		return ""
	}
	return email
}

// name is what the issuer calls them, if it can be kept.
func (s said) name() *string { return nameOf(s.text("name")) }

func nameOf(text string) *string {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text))
	if text == "" || len(auth.NameFaults("name", text, 1)) > 0 {
		return nil
	}
	return &text
}

// groups reads a list of texts, or one text. overflow is true when the issuer says that there are too many to say them.
func (s said) groups(claim string) (groups []string, told, overflow bool) {
	if claim == "" {
		return nil, false, false
	}
	if elsewhere, ok := s["_claim_names"].(map[string]any); ok && elsewhere[claim] != nil {
		return nil, false, true
	}
	switch value := s[claim].(type) {
	case string:
		return []string{value}, true, false
	case []any:
		for _, one := range value {
			if group, ok := one.(string); ok {
				groups = append(groups, group)
			}
		}
		return groups, true, false
	}
	return nil, false, false
}

// UnmarshalJSON keeps numbers as they are written.
func (s *said) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	plain := map[string]any{}
	if err := decoder.Decode(&plain); err != nil {
		return err
	}
	*s = plain
	return nil
}

func clip(text string, most int) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most])
	}
	return text
}
