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

func TestACommandLineWithAnotherConfigurationCannotTurnTheModeOffUnderFiles(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	server, shell := tenancy.NewAnonymous(r.db, true, true), tenancy.NewAnonymous(r.db, false, false)
	r.must(server.Declare(t.Context()))
	r.wantStatus(shell.Set(t.Context(), false, "command line"), http.StatusConflict)
	if on, source := mode(r, server); !on || source != "environment" {
		t.Errorf("%v, %s", on, source)
	}
	r.must(shell.Set(t.Context(), true, "command line"))

	server = tenancy.NewAnonymous(r.db, true, false) // started anew, with the database for storage
	r.must(server.Declare(t.Context()))
	r.must(server.Declare(t.Context()))
	files := tenancy.NewAnonymous(r.db, true, true) // a shell with what was in force before
	r.must(files.Set(t.Context(), false, "command line"))
	if on, _ := mode(r, server); on {
		t.Error("it is on")
	}
}

func TestAServerWithFilesDoesNotStartWhileTheModeIsKeptOff(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	r.must(r.mode.Set(t.Context(), false, "command line"))
	files := tenancy.NewAnonymous(r.db, true, true)
	r.wantStatus(files.Declare(t.Context()), http.StatusConflict)
	r.must(r.mode.Declare(t.Context()))
	r.must(r.mode.Set(t.Context(), true, "command line"))
	r.must(files.Declare(t.Context()))
}

func TestAllReplicasFollowTheModeWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(testing.TB, *postgres.DB){
		"listening":                func(testing.TB, *postgres.DB) {},
		"while its LISTEN was cut": dbtest.CutOff,
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
				eventually(t, "what was remembered before is dropped", func() bool { // the notification may be on its way still
					got, err := quiet.On(t.Context())
					return err == nil && got == on
				})
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
