package e2e_test

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// settingsCases are what is asked of both.
//
//go:embed testdata/settings.cases.txt
var settingsCases string

// settingsDifferences are where the answers differ on purpose: each by its case, exactly, with the reason.
//
//go:embed testdata/settings.differences.txt
var settingsDifferences string

// settingsCase is one request. It is sent times times, with <n> counting.
type settingsCase struct {
	name, method, path, expose, body string
	keep                             map[string]string // a word, by the place in the answer
	times                            int
}

// chapter is a sequence of cases that begins with nothing.
type chapter struct {
	name  string
	cases []settingsCase
}

// chapters reads the table. Its form is told at its beginning.
func chapters(t *testing.T) []chapter {
	t.Helper()
	var all []chapter
	for n, line := range strings.Split(settingsCases, "\n") {
		switch {
		case strings.TrimSpace(line) == "", strings.HasPrefix(line, "# "), line == "#":
		case strings.HasPrefix(line, "== "):
			all = append(all, chapter{name: strings.TrimPrefix(line, "== ")})
		default:
			c, err := readCase(line)
			if err != nil || len(all) == 0 {
				t.Fatalf("line %d of the cases: %v: %s", n+1, err, line)
			}
			last := &all[len(all)-1]
			last.cases = append(last.cases, c)
		}
	}
	return all
}

// readCase reads a line.
func readCase(line string) (settingsCase, error) {
	name, rest, two := strings.Cut(line, "  ")
	if !two {
		return settingsCase{}, fmt.Errorf("no two blanks behind the name")
	}
	c := settingsCase{name: name, keep: map[string]string{}, times: 1}
	for rest = strings.TrimSpace(rest); rest != ""; {
		word, more, _ := strings.Cut(rest, " ")
		switch {
		case c.method == "":
			c.method = word
		case c.path == "":
			c.path = word
		case strings.HasPrefix(word, "@"):
			c.expose = word[1:]
		case strings.HasPrefix(word, ">"):
			as, pointer, _ := strings.Cut(word[1:], "=")
			c.keep[as] = pointer
		case strings.HasPrefix(word, "*"):
			times, err := strconv.Atoi(word[1:])
			if err != nil {
				return c, err
			}
			c.times = times
		default:
			c.body = rest
			return c, nil
		}
		rest = strings.TrimSpace(more)
	}
	if c.path == "" {
		return c, fmt.Errorf("no path")
	}
	return c, nil
}

// expected is what is said of one case's differences.
type expected struct {
	lines []string
	why   string
	seen  bool
}

// differences reads the list: a reason, the cases it holds for, and below each what differs.
func differences(t *testing.T) map[string]*expected {
	t.Helper()
	all, why := map[string]*expected{}, ""
	var last *expected
	for n, line := range strings.Split(settingsDifferences, "\n") {
		switch {
		case strings.TrimSpace(line) == "", strings.HasPrefix(line, "# "), line == "#":
		case strings.HasPrefix(line, "== "):
			why, last = strings.TrimPrefix(line, "== "), nil
		case strings.HasPrefix(line, "    "):
			if last == nil {
				t.Fatalf("line %d of the differences belongs to no case", n+1)
			}
			last.lines = append(last.lines, strings.TrimPrefix(line, "    "))
		default:
			if why == "" || all[line] != nil {
				t.Fatalf("line %d of the differences has no reason, or stands twice: %s", n+1, line)
			}
			last = &expected{why: why}
			all[line] = last
		}
	}
	return all
}
