// Command operations is `make upstream-operations`: it writes down every
// operation of the upstream, so that the table of the product can be held
// against the list.
//
// It owns the list's form. What the upstream does not publish it takes from a
// file that people keep; it never reads the product's own table, against which
// the list is a check.
//
// The key idea: one line for an operation, sorted, so that a new version of the
// upstream is a diff that a person can read.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
	"github.com/openhands-saas/openhands-saas/e2e/stack/setup"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	hidden := flag.String("hidden", "proxy/agentserver/hidden.txt", "operations that are not published")
	out := flag.String("out", "proxy/agentserver/testdata", "folder of the lists, one for each version")
	url := flag.String("url", "", "an upstream that runs already; without it one is started")
	flag.Parse()
	if err := run(ctx, *hidden, *out, *url); err != nil {
		fmt.Fprintln(os.Stderr, "upstream-operations:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, hidden, out, url string) error {
	kept, err := os.ReadFile(hidden)
	if err != nil {
		return err
	}
	openapi, err := published(ctx, url)
	if err != nil {
		return err
	}
	version, list, err := merge(openapi, string(kept))
	if err != nil {
		return fmt.Errorf("%s: %w", hidden, err)
	}
	name := filepath.Join(out, "operations-"+version+".txt")
	text := "# Every operation of agent-server " + version + ", made by `make upstream-operations`.\n" + strings.Join(list, "\n") + "\n"
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s: %d operations\n", name, len(list))
	return nil
}

// published asks the upstream at url, or one that is started for it, for its
// OpenAPI document.
func published(ctx context.Context, url string) ([]byte, error) {
	if url != "" {
		return fetch(ctx, url+"/openapi.json")
	}
	paths, err := setup.Ensure(ctx, setup.Options{Upstream: true})
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp("", "upstream-operations-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(data) }()
	u, err := stack.StartUpstream(ctx, stack.UpstreamOptions{AgentServer: paths.AgentServer, DataDir: data})
	if err != nil {
		return nil, err
	}
	defer u.Stop()
	return fetch(ctx, u.URL()+"/openapi.json")
}

func fetch(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, response.Status)
	}
	return io.ReadAll(response.Body)
}

// merge makes the list of what is published and what is kept as hidden, sorted
// by path. What stands in both is a mistake of the kept file.
func merge(openapi []byte, hidden string) (version string, list []string, err error) {
	var document struct {
		Info  struct{ Version string }
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(openapi, &document); err != nil {
		return "", nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	if document.Info.Version == "" || len(document.Paths) == 0 {
		return "", nil, errors.New("the OpenAPI document has no version or no paths")
	}
	for path, item := range document.Paths {
		for member := range item {
			if method := strings.ToUpper(member); slices.Contains(methods(), method) {
				list = append(list, method+" "+path)
			}
		}
	}
	for line := range strings.Lines(hidden) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case slices.Contains(list, line):
			return "", nil, fmt.Errorf("%s is published, or stands there twice: take the line out", line)
		default:
			list = append(list, line)
		}
	}
	slices.SortFunc(list, byPath)
	return document.Info.Version, list, nil
}

// methods are the members of a path that are operations, not remarks.
func methods() []string {
	return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
}

func byPath(a, b string) int {
	methodA, pathA, _ := strings.Cut(a, " ")
	methodB, pathB, _ := strings.Cut(b, " ")
	if order := strings.Compare(pathA, pathB); order != 0 {
		return order
	}
	return strings.Compare(methodA, methodB)
}
