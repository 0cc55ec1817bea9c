package main

import (
	"os"
	"strings"
)

// environment is what the product will see.
type environment map[string]string

func environ() environment {
	e := environment{}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		e[name] = value
	}
	return e
}

func (e environment) has(name string) bool { return e[name] != "" }

func (e environment) get(name, otherwise string) string {
	if e.has(name) {
		return e[name]
	}
	return otherwise
}

// suggest sets what the user has not set.
func (e environment) suggest(name, value string) {
	if !e.has(name) && value != "" {
		e[name] = value
	}
}
