package smoke

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// walk is the state between steps.
type walk struct {
	client       *http.Client
	base         string
	out          io.Writer
	noAgent      bool
	agentTimeout time.Duration
	poll         time.Duration

	first, second *person
	existing      bool   // the people had their accounts before
	conversation  string // id, while it exists
}

// person is one account of the walk.
type person struct {
	email, password string
	registered      bool
	token           string
}

// peopleOf are the two who walk: those with the accounts, or two new ones.
func peopleOf(accounts []Account) ([]*person, error) {
	switch {
	case len(accounts) == 0:
		return []*person{newPerson(), newPerson()}, nil
	case len(accounts) != 2 || strings.EqualFold(accounts[0].Email, accounts[1].Email):
		return nil, errors.New("give two different accounts, or none: the walk proves what one cannot see of the other")
	}
	people := make([]*person, len(accounts))
	for i, a := range accounts {
		people[i] = &person{email: a.Email, password: a.Password}
	}
	return people, nil
}

// newPerson has an address that no mail reaches (RFC 2606) and nobody has.
func newPerson() *person {
	return &person{email: "smoke-" + strings.ToLower(rand.Text()) + "@example.com", password: rand.Text()}
}

func (w *walk) people() []*person { return []*person{w.first, w.second} }

func (w *walk) ready(ctx context.Context) error {
	_, err := w.do(ctx, call{method: "GET", path: "/readyz", want: http.StatusOK})
	return err
}

func (w *walk) register(ctx context.Context) error {
	for _, p := range w.people() {
		var answer struct{ Email string }
		_, err := w.do(ctx, call{method: "POST", path: "/api/auth/register-with-team", contentType: "application/json", want: http.StatusOK,
			body: asJSON(map[string]string{"email": p.email, "password": p.password, "name": "Smoke Test"}), into: &answer})
		if err != nil {
			return err
		}
		p.registered = true
		if answer.Email != p.email {
			return fmt.Errorf("registered %s, but the answer says %q", p.email, answer.Email)
		}
	}
	return nil
}

func (w *walk) signIn(ctx context.Context) error {
	for _, p := range w.people() {
		var answer struct {
			Token string `json:"access_token"`
		}
		form := url.Values{"username": {p.email}, "password": {p.password}}
		_, err := w.do(ctx, call{method: "POST", path: "/api/auth/jwt/login", contentType: "application/x-www-form-urlencoded", body: form.Encode(),
			want: http.StatusOK, into: &answer})
		if err != nil {
			return err
		}
		if p.token = answer.Token; p.token == "" {
			return errors.New("the answer to the login holds no access_token")
		}
	}
	return nil
}

func (w *walk) me(ctx context.Context) error {
	for _, p := range w.people() {
		var answer struct{ Email string }
		if _, err := w.do(ctx, call{method: "GET", path: "/api/auth/users/me", token: p.token, want: http.StatusOK, into: &answer}); err != nil {
			return err
		}
		if !strings.EqualFold(answer.Email, p.email) {
			return fmt.Errorf("signed in as %s, but the server says %q", p.email, answer.Email)
		}
	}
	return nil
}

func (w *walk) teams(ctx context.Context) error {
	owner := map[string]string{} // team → who was seen in it
	for _, p := range w.people() {
		teams, err := w.teamsOf(ctx, p)
		if err != nil {
			return err
		}
		for _, id := range teams {
			if other, shared := owner[id]; shared {
				return fmt.Errorf("%s and %s are both in the team %s, where each may see what the other does", other, p.email, id)
			}
			owner[id] = p.email
		}
	}
	return nil
}

// teamsOf returns the ids of a person's teams. A new account is in exactly one.
func (w *walk) teamsOf(ctx context.Context, p *person) ([]string, error) {
	var answer []struct {
		ID       string
		Personal bool `json:"is_personal"`
	}
	if _, err := w.do(ctx, call{method: "GET", path: "/api/teams/", token: p.token, want: http.StatusOK, into: &answer}); err != nil {
		return nil, err
	}
	personal, ids := 0, make([]string, len(answer))
	for i, team := range answer {
		ids[i] = team.ID
		if team.Personal {
			personal++
		}
	}
	if personal == 0 || len(ids) != 1 && !w.existing {
		return nil, fmt.Errorf("%s has %d teams, %d personal; a new account has exactly its personal one", p.email, len(ids), personal)
	}
	return ids, nil
}

func (w *walk) signOut(ctx context.Context) error {
	for _, p := range w.people() {
		if _, err := w.do(ctx, call{method: "POST", path: "/api/auth/jwt/logout", token: p.token, want: http.StatusNoContent}); err != nil {
			return err
		}
		token := p.token
		p.token = ""
		if _, err := w.do(ctx, call{method: "GET", path: "/api/auth/users/me", token: token, want: http.StatusUnauthorized}); err != nil {
			return err
		}
	}
	return nil
}

// cleanUp takes back what a failed walk left, and says what stays. It has a time of its own, since the walk's may be over.
func (w *walk) cleanUp() {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if w.conversation != "" {
		id := w.conversation
		if err := w.remove(ctx); err != nil {
			fmt.Fprintf(w.out, "note: the conversation %s of %s stays: it could not be deleted\n", id, w.first.email)
		}
	}
	var stay []string
	for _, p := range w.people() {
		if p.token != "" {
			_, _ = w.do(ctx, call{method: "POST", path: "/api/auth/jwt/logout", token: p.token, want: http.StatusNoContent})
		}
		if p.registered {
			stay = append(stay, p.email)
		}
	}
	if len(stay) > 0 {
		fmt.Fprintf(w.out, "note: these accounts stay, since accounts cannot be deleted yet: %s (walk as existing accounts with --email and --other-email)\n", strings.Join(stay, ", "))
	}
}
