package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// Vault is where the keys of what people keep secret are.
type Vault struct {
	Text string // as they were given; empty: in File
	File string // in the data folder, where the server makes it
}

// vault asks whether there is a key to everything that is sealed.
func (e *examiner) vault(ctx context.Context, db *postgres.DB) {
	const check = "vault"
	if e.Vault == nil {
		e.skip(check, unsound)
		return
	}
	keys, made, err := e.Vault.keys()
	if err != nil {
		e.problem(check, err.Error(), "give the keyset that was there before, or, where there was none, the output of `openhands-saas vault keyset`")
		return
	}
	store := vault.New(db, keys)
	if err := store.CheckKeys(ctx); err != nil {
		e.problem(check, err.Error(), "look for the keyset in your backups; `openhands-saas serve` does not start without it")
		return
	}
	if !made {
		e.ok(check, "nothing is sealed yet, and `openhands-saas serve` makes the keys in %s", e.Vault.File)
		return
	}
	uses, err := store.Keys(ctx)
	if err != nil {
		e.problem(check, err.Error(), "look at the database server's log")
		return
	}
	e.ok(check, "its keys are there (%d); what they hold, `openhands-saas vault status` tells", len(uses))
}

// keys are those of the server. Where it has made none yet, a stranger's do: they open nothing.
func (v *Vault) keys() (keys *sealed.Source, made bool, err error) {
	if v.Text != "" {
		keys, err = sealed.FromValue(v.Text)
		return keys, true, err
	}
	keys, err = sealed.FromFile(v.File)
	if !errors.Is(err, os.ErrNotExist) {
		return keys, true, err
	}
	_, text, err := sealed.New()
	if err != nil {
		return nil, false, fmt.Errorf("make a key: %w", err)
	}
	keys, err = sealed.FromValue(string(text))
	return keys, false, err
}
