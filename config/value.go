package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value reads a text into a field and writes it back, as flag.Value does. The errors of set say what to write instead and
// never repeat the text, which may be a secret in the wrong place.
type value interface {
	set(text string) error
	text() string
}

type textValue struct{ to *string }

func (v textValue) set(s string) error { *v.to = s; return nil }
func (v textValue) text() string       { return *v.to }

type secretValue struct{ to *Secret }

func (v secretValue) set(s string) error { *v.to = Secret(s); return nil }
func (v secretValue) text() string       { return v.to.String() }

type secretsValue struct{ to *[]Secret }

func (v secretsValue) set(s string) error {
	*v.to = nil
	for _, item := range list(s) {
		*v.to = append(*v.to, Secret(item))
	}
	return nil
}

func (v secretsValue) text() string {
	if len(*v.to) == 0 {
		return ""
	}
	return mask
}

type choiceValue struct {
	to      *string
	choices []string
	aliases map[string]string
	later   []string // values of the product that this version cannot honour
}

func (v choiceValue) set(s string) error {
	s = strings.ToLower(s)
	if canonical, ok := v.aliases[s]; ok {
		s = canonical
	}
	for _, c := range v.choices {
		if s == c {
			*v.to = s
			return nil
		}
	}
	if slices.Contains(v.later, s) {
		return fmt.Errorf("%s is not available in this version: remove it", s)
	}
	return fmt.Errorf("write one of: %s", strings.Join(v.choices, ", "))
}

func (v choiceValue) text() string { return *v.to }

type switchValue struct{ to *bool }

func (v switchValue) set(s string) error {
	on, ok := readSwitch(s)
	if !ok {
		return errors.New("write true or false")
	}
	*v.to = on
	return nil
}

func (v switchValue) text() string { return strconv.FormatBool(*v.to) }

func readSwitch(s string) (on, ok bool) {
	switch strings.ToLower(s) {
	case "true", "on", "yes", "1":
		return true, true
	case "false", "off", "no", "0":
		return false, true
	}
	return false, false
}

type numberValue struct {
	to       *int
	min, max int
}

func (v numberValue) set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < v.min || n > v.max {
		return fmt.Errorf("write a whole number from %d to %d", v.min, v.max)
	}
	*v.to = n
	return nil
}

func (v numberValue) text() string { return strconv.Itoa(*v.to) }

// spanValue is seconds (3600) or a Go duration (1h30m).
type spanValue struct {
	to       *time.Duration
	min, max time.Duration
}

func (v spanValue) set(s string) error {
	d, err := time.ParseDuration(s)
	if seconds, numeric := strconv.ParseInt(s, 10, 32); numeric == nil {
		d, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || d < v.min || d > v.max {
		return fmt.Errorf("write seconds (3600) or a duration (1h30m) from %s to %s", short(v.min), short(v.max))
	}
	*v.to = d
	return nil
}

func (v spanValue) text() string { return short(*v.to) }

// short writes 1h0m0s as 1h.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// list splits comma text; blanks and empty entries go.
func list(s string) []string {
	var items []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
