package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// TestMain lets the scripts call the program by its name: the test binary is it, then.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"openhands-saas": main})
}

func TestTheCommandsBehaveAsTheirScriptsSay(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		// Run by root, an embedded database is another user's, who must come through to its data folder.
		Setup: func(env *testscript.Env) error { return os.Chmod(filepath.Dir(env.WorkDir), 0o711) },
	})
}

func TestEveryNameIsInTheOperatorsReference(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range config.Names() {
		if !strings.Contains(string(raw), "`"+n.Env+"`") {
			t.Errorf("docs/operate.md does not explain %s", n.Env)
		}
	}
}

func TestErrorsAreExplainedOnOneLineWithoutCodes(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"a b": errors.New("a\nb"),
		"there is an account with this address already":                    fmt.Errorf("create: %w", problem.New(400, "REGISTER_USER_ALREADY_EXISTS")),
		"this password cannot be used: too short":                          &problem.Error{Status: 400, Detail: map[string]string{"code": "REGISTER_INVALID_PASSWORD", "reason": "too short"}},
		"email: not an address":                                            problem.Fields(problem.Field{Loc: []any{"body", "email"}, Msg: "not an address"}),
		"The database does not answer. Try again. (connection refused)":    problem.Unavailable("The database does not answer. Try again.", errors.New("connection refused")),
		"the configuration has 1 problem:\n  - PORT (flag): write another": config.Problems{{Name: "PORT", Origin: "flag", Text: "write another"}},
	} {
		if got := explain(err); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
