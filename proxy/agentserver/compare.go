package agentserver

import (
	_ "embed" // the list of what the upstream does not publish
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/proxy"
)

//go:embed hidden.txt
var hidden string

// Compare holds the table against an /openapi.json: what is published and has no row, and which rows are of operations that are
// neither published nor known to be hidden nor another program's. Both are sorted lines of "METHOD /path"; names of parameters do not matter.
func Compare(openapi []byte) (unknown, missing []string, err error) {
	published, err := publishedIn(openapi)
	if err != nil {
		return nil, nil, err
	}
	known, silent := named(slices.Concat(Routes(), Beside())), named(hiddenOperations())
	for name, line := range published {
		_, path, _ := strings.Cut(name, " ")
		if !known[name] && !known[AnyMethod+" "+path] {
			unknown = append(unknown, line)
		}
	}
	for _, o := range Routes() {
		name := nameless(o.Method, o.Path)
		elsewhere := silent[name] || o.WebSocket || strings.HasPrefix(o.Path, automation)
		if published[name] == "" && !elsewhere {
			missing = append(missing, o.Method+" "+o.Path)
		}
	}
	slices.Sort(unknown)
	slices.Sort(missing)
	return unknown, missing, nil
}

func named(operations []proxy.Operation) map[string]bool {
	names := map[string]bool{}
	for _, o := range operations {
		names[nameless(o.Method, o.Path)] = true
	}
	return names
}

func hiddenOperations() (operations []proxy.Operation) {
	for _, line := range Hidden() {
		method, path, _ := strings.Cut(line, " ")
		operations = append(operations, proxy.Operation{Method: method, Path: path})
	}
	return operations
}

// Hidden lists what the upstream serves and does not publish, as lines of "METHOD /path".
func Hidden() []string {
	var lines []string
	for line := range strings.Lines(hidden) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// publishedIn reads the operations of an OpenAPI document: from their nameless form to the line that people read.
func publishedIn(openapi []byte) (map[string]string, error) {
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(openapi, &document); err != nil || len(document.Paths) == 0 {
		return nil, errors.Join(errors.New("the answer to /openapi.json lists no operations"), err)
	}
	published := map[string]string{}
	for path, item := range document.Paths {
		for method := range maps.Keys(item) {
			if method = strings.ToUpper(method); slices.Contains(methods, method) {
				published[nameless(method, path)] = method + " " + path
			}
		}
	}
	return published, nil
}

// methods are the members of an OpenAPI path that are operations.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}

var parameters = regexp.MustCompile(`\{[^}]*\}`)

// nameless makes two spellings of one template equal.
func nameless(method, path string) string {
	return method + " " + parameters.ReplaceAllString(path, "{}")
}
