package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// explain turns an error into what a person at a terminal reads: one line, or the list of the configuration's problems.
func explain(err error) string {
	if problems, ok := errors.AsType[config.Problems](err); ok {
		return problems.Error()
	}
	p, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return strings.Join(strings.Fields(err.Error()), " ")
	}
	text := detail(p.Detail)
	if p.Cause != nil && p.Status >= 500 { // a terminal belongs to the operator, who may see the cause
		text += " (" + p.Cause.Error() + ")"
	}
	return strings.Join(strings.Fields(text), " ")
}

func detail(content any) string {
	switch content := content.(type) {
	case string:
		return sentence(content)
	case []problem.Field:
		texts := make([]string, len(content))
		for i, f := range content {
			texts[i] = f.Msg
			if len(f.Loc) > 0 {
				texts[i] = fmt.Sprintf("%v: %s", f.Loc[len(f.Loc)-1], f.Msg)
			}
		}
		return strings.Join(texts, "; ")
	}
	raw, _ := json.Marshal(content)
	var coded struct{ Code, Reason string }
	if json.Unmarshal(raw, &coded) == nil && coded.Reason != "" {
		return sentence(coded.Code) + ": " + coded.Reason
	}
	return string(raw)
}

// sentence says in words what the API says in a code.
func sentence(code string) string {
	switch code {
	case "REGISTER_USER_ALREADY_EXISTS", "UPDATE_USER_EMAIL_ALREADY_EXISTS":
		return "there is an account with this address already"
	case "REGISTER_INVALID_PASSWORD", "UPDATE_USER_INVALID_PASSWORD":
		return "this password cannot be used"
	}
	return code
}
