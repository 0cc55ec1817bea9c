package body_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

func TestParametersOfTheirOwnShowNoBody(t *testing.T) {
	t.Parallel()
	for _, sent := range []string{"", "null", "[]", "5", `"x"`, "{}", `{"Token":"x","other":"y"}`} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(sent))
		r.Header.Set("Content-Type", "application/json")
		o, err := body.Params(r, 1000)
		if err != nil {
			t.Fatalf("%q: %v", sent, err)
		}
		o.String("token", true)
		o.String("password", true)
		faults, _ := problem.Of(o.Err()).Detail.([]problem.Field)
		if len(faults) != 2 {
			t.Fatalf("%q: %v", sent, o.Err())
		}
		for i, name := range []string{"token", "password"} {
			if f := faults[i]; f.Type != "missing" || f.Input != nil || len(f.Loc) != 2 || f.Loc[1] != name {
				t.Errorf("%q: %+v", sent, f)
			}
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader("{"))
	r.Header.Set("Content-Type", "application/json")
	if _, err := body.Params(r, 1000); problem.Of(err).Status != 422 {
		t.Errorf("broken JSON: %v", err)
	}
}

func TestAFlagThatCountsCannotBeNull(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(`{"a":null,"b":"yes"}`))
	r.Header.Set("Content-Type", "application/json")
	o, err := body.JSON(r, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if value, ok := o.FlagNotNull("b"); !ok || !value {
		t.Error("yes is not true")
	}
	if _, ok := o.FlagNotNull("a"); ok || o.Err() == nil {
		t.Error("null was taken")
	}
}
