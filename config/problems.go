package config

import (
	"fmt"
	"strings"
)

// Problem is one thing to correct. Text says what to do and never holds a value.
type Problem struct {
	Name   string // the environment name, or the file at fault
	Origin string // where the value came from; "" when it is missing
	Text   string
}

// String is one line.
func (p Problem) String() string {
	if p.Origin == "" {
		return p.Name + ": " + p.Text
	}
	return fmt.Sprintf("%s (%s): %s", p.Name, p.Origin, p.Text)
}

// Problems is the error of Load: all that is wrong, not only the first.
type Problems []Problem

// Error lists the problems, one a line.
func (p Problems) Error() string {
	lines := []string{"the configuration has 1 problem:"}
	if len(p) != 1 {
		lines[0] = fmt.Sprintf("the configuration has %d problems:", len(p))
	}
	for _, problem := range p {
		lines = append(lines, "  - "+problem.String())
	}
	return strings.Join(lines, "\n")
}

func (p *Problems) add(name, origin, format string, args ...any) {
	*p = append(*p, Problem{name, origin, fmt.Sprintf(format, args...)})
}
