package app

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/auth/device"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// composeDevices makes the service of programs that wait to be let in. It needs the keys.
func (a *App) composeDevices() error {
	secret, err := derived(a.secret.Reveal(), "openhands-saas short codes of devices")
	if err != nil {
		return err
	}
	a.devices = device.New(device.Config{
		DB: a.db(), Keys: deviceKeys{apikey.New(apikey.Config{DB: a.db()})}, Secret: secret,
		Limits: a.accountLimits(), Page: a.siteURL() + "/account/device",
	})
	return nil
}

// deviceKeys makes the keys of devices: like any key that somebody makes for themselves.
type deviceKeys struct{ keys *apikey.Service }

// MakeKey implements device.KeyMaker.
func (d deviceKeys) MakeKey(ctx context.Context, u auth.User, name string, scopes []string, allowed func(context.Context, *postgres.Tx) error) (string, error) {
	made, err := d.keys.Create(ctx, apikey.Act{Owner: u.ID, ActorID: u.ID, Actor: u.Email, Allowed: allowed}, apikey.Draft{Name: name, Scopes: scopes})
	return made.Secret, err
}

// forgetDevices deletes requests of devices that are long over.
func (a *App) forgetDevices(ctx context.Context) {
	if _, err := a.devices.Purge(ctx); err != nil && ctx.Err() == nil {
		a.log.Warn("old requests of devices could not be deleted; the next run tries again", "error", err)
	}
}

// derived is a key of its own for one purpose, made of the secret.
func derived(secret, purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(secret), nil, purpose, sha256.Size)
}
