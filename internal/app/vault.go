package app

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// KeysetFile is where the vault's keys are kept when nobody gave any: in the data folder of an embedded database.
func KeysetFile(cfg *config.Config) string { return filepath.Join(cfg.DataDir, "vault-keyset.json") }

// vaultKeys are VAULT_KEYSET, read again from its file when that changes, or with an embedded database those that were made once in
// the data folder. Nil when there are none: for commands that need none.
func vaultKeys(cfg *config.Config) (*sealed.Source, error) {
	switch {
	case cfg.VaultKeysetFile != "":
		return given(sealed.FromFile(cfg.VaultKeysetFile))
	case cfg.VaultKeyset != "":
		return given(sealed.FromValue(cfg.VaultKeyset.Reveal()))
	case cfg.Embedded():
		keys, err := sealed.EnsureFile(KeysetFile(cfg))
		if err != nil {
			return nil, fmt.Errorf("the vault's keys in DATA_DIR: %w", err)
		}
		return keys, nil
	}
	return nil, nil
}

func given(keys *sealed.Source, err error) (*sealed.Source, error) {
	if err != nil {
		return nil, fmt.Errorf("VAULT_KEYSET: %w", err)
	}
	return keys, nil
}

// composeKeys opens the keys, if there are any, for all who seal.
func (a *App) composeKeys() (err error) {
	a.keys, err = vaultKeys(a.cfg)
	return err
}

// composeVault makes the vault, if there are keys.
func (a *App) composeVault() {
	if a.keys == nil {
		return
	}
	a.vault = vault.New(a.db(), a.keys)
	a.vault.Log = a.log
}

// VaultStatus prints the keys with what they hold, and what does not open.
func (t *Tools) VaultStatus(ctx context.Context, out io.Writer) error {
	uses, err := t.app.vault.Keys(ctx)
	if err != nil {
		return err
	}
	broken, err := t.app.vault.Broken(ctx)
	if err != nil {
		return err
	}
	beside, err := t.app.heldBeside(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "KEY\tDOCUMENTS\tTEAMS\tSTATE\n")
	for _, use := range uses {
		fmt.Fprintf(w, "%d\t%d\t%d\t%s\n", use.ID, use.Documents, use.Teams, stateOf(use, beside[use.ID]))
	}
	for _, line := range lostBeside(uses, beside) {
		fmt.Fprintln(w, line)
	}
	for _, id := range broken {
		fmt.Fprintf(w, "\ndocument %s holds a value that does not open: it was cut or changed. Restore it from a backup, or let its owner set it again.\n", id)
	}
	return w.Flush()
}

func stateOf(use vault.KeyUse, beside held) string {
	switch {
	case !use.Readable:
		return "MISSING: give back the keyset that holds it"
	case use.Primary:
		return "seals"
	case len(beside) > 0:
		return "opens, also " + beside.String() + "; openhands-saas vault rotate seals anew what it holds"
	case use.Idle():
		return "may go, unless a backup or a server with an older keyset needs it"
	}
	return "opens; openhands-saas vault rotate seals anew what it holds"
}

// VaultRotate seals everything with a fresh key, where the keyset is a file; else, or when an earlier rotation did not come to its
// end, with the key that seals now.
func (t *Tools) VaultRotate(ctx context.Context, batch int, out io.Writer) error {
	if err := t.app.vault.CheckKeys(ctx); err != nil {
		return err
	}
	rotation := vault.Rotation{Batch: batch, Report: func(done, left int) { fmt.Fprintf(out, "sealed anew: %d, left: %d\n", done, left) }}
	rotated, beside, err := t.resealAll(ctx, rotation, out)
	if err != nil {
		return err
	}
	if rotated.Done+beside == 0 {
		if err := t.addKey(ctx, out); err != nil {
			return err
		}
		if rotated, _, err = t.resealAll(ctx, rotation, out); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(out, "what another key held was sealed anew, and no key was added")
	}
	return t.rotated(ctx, rotated, out)
}

// resealAll seals with the present key what others hold: documents, and what is beside them.
func (t *Tools) resealAll(ctx context.Context, r vault.Rotation, out io.Writer) (rotated vault.Rotated, beside int, err error) {
	if rotated, err = t.app.vault.Rotate(ctx, r); err != nil {
		return rotated, 0, err
	}
	beside, err = t.resealBeside(ctx, out)
	return rotated, beside, err
}

func (t *Tools) addKey(ctx context.Context, out io.Writer) error {
	if err := t.app.keys.Rotate(); err != nil {
		return err
	}
	id := t.app.keys.Current().Primary()
	fmt.Fprintf(out, "key %d seals now\n", id)
	return t.record(ctx, "vault.key.add", id, nil)
}

func (t *Tools) rotated(ctx context.Context, r vault.Rotated, out io.Writer) error {
	id := t.app.keys.Current().Primary()
	for _, broken := range r.Broken {
		fmt.Fprintf(out, "document %s holds a value that does not open and was left as it is\n", broken)
	}
	fmt.Fprintf(out, "all that opens is sealed with key %d; `openhands-saas vault status` says which keys may go\n", id)
	return t.record(ctx, "vault.rotate", id, map[string]any{"documents": r.Done, "broken": len(r.Broken)})
}

func (t *Tools) record(ctx context.Context, action string, key uint32, detail map[string]any) error {
	return t.app.db().InTx(ctx, func(tx *postgres.Tx) error {
		return audit.Record(ctx, tx, audit.Entry{Actor: commandLine, Action: action, Object: fmt.Sprint(key), Detail: detail})
	})
}

// NewKeyset is a keyset as text: with add the present one and a fresh key, which seals; else a new one.
func NewKeyset(cfg *config.Config, add bool) ([]byte, error) {
	if !add {
		_, text, err := sealed.New()
		return text, err
	}
	keys, err := presentKeys(cfg)
	if err != nil {
		return nil, err
	}
	_, text, err := keys.Current().WithNewPrimary()
	return text, err
}

// presentKeys is vaultKeys without making any.
func presentKeys(cfg *config.Config) (*sealed.Source, error) {
	if cfg.VaultKeyset == "" && cfg.Embedded() {
		return given(sealed.FromFile(KeysetFile(cfg)))
	}
	return vaultKeys(cfg)
}
