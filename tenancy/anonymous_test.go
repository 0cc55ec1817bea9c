package tenancy_test

import (
	"net/http"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/tenancy"
)

func mode(r *replica, a *tenancy.Anonymous) (bool, string) {
	r.t.Helper()
	on, err := a.On(r.t.Context())
	r.must(err)
	return on, a.Source(r.t.Context())
}

func TestTheModeStartsAsConfiguredUntilItIsSet(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	for _, start := range []bool{true, false} {
		if on, source := mode(r, tenancy.NewAnonymous(r.db, start, false)); on != start || source != "environment" {
			t.Errorf("start %v: %v, %s", start, on, source)
		}
	}
	r.must(r.mode.Set(t.Context(), true, "ada@example.com"))
	for _, start := range []bool{true, false} {
		if on, source := mode(r, tenancy.NewAnonymous(r.db, start, false)); !on || source != "kept" {
			t.Errorf("start %v: %v, %s", start, on, source)
		}
	}
	r.must(r.mode.Set(t.Context(), false, "ada@example.com"))
	if on, source := mode(r, tenancy.NewAnonymous(r.db, true, false)); on || source != "kept" {
		t.Errorf("%v, %s", on, source)
	}
}

func TestSettingTheModeIsAuditedAndOnceOnly(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	r.must(r.mode.Set(t.Context(), false, "command line")) // the value of the start, now kept
	r.must(r.mode.Set(t.Context(), true, "command line"))
	r.must(r.mode.Set(t.Context(), true, "command line"))
	if on, off := r.audited("anonymous.on"), r.audited("anonymous.off"); on != 1 || off != 1 {
		t.Errorf("%d on, %d off", on, off)
	}
	if on, _ := mode(r, r.mode); !on {
		t.Error("it is off")
	}
}

func TestTheModeCannotBeTurnedOffWhileFilesAreTheStorage(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	files := tenancy.NewAnonymous(r.db, true, true)
	r.wantStatus(files.Set(t.Context(), false, "command line"), http.StatusConflict)
	r.must(files.Set(t.Context(), true, "command line"))
	if on, _ := mode(r, files); !on {
		t.Error("it is off")
	}
}

func TestAllReplicasFollowTheModeWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(*testing.T, *postgres.DB){
		"listening":                func(*testing.T, *postgres.DB) {},
		"while its LISTEN was cut": cutOff,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t)
			here, there := newReplica(t, dbtest.Open(t, url)), newReplica(t, dbtest.Open(t, url))
			for _, on := range []bool{true, false, true} {
				quiet := tenancy.NewAnonymous(there.db, !on, false)
				mode(there, quiet) // remembered
				disturb(t, there.db)
				here.must(here.mode.Set(t.Context(), on, "command line"))
				if got, _ := mode(here, here.mode); got != on {
					t.Errorf("where it was set it is %v", got)
				}
				eventually(t, "the other replica follows", func() bool {
					got, err := there.mode.On(t.Context())
					return err == nil && got == on
				})
				freshAgain(t, there.db)
				if got, _ := mode(there, quiet); got != on {
					t.Error("what was remembered before was not dropped")
				}
			}
		})
	}
}

func TestTheCommandLineReachesAServerWithoutListeningItself(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	server := newReplica(t, dbtest.Open(t, url))
	mode(server, server.mode) // remembered
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	server.must(err)
	t.Cleanup(func() { _ = db.Close() })
	server.must(tenancy.NewAnonymous(db, false, false).Set(t.Context(), true, "command line"))
	eventually(t, "the server follows", func() bool {
		on, err := server.mode.On(t.Context())
		return err == nil && on
	})
}
