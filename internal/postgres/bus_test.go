package postgres_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// announce commits one event and returns it.
func announce(t *testing.T, db *postgres.DB) postgres.Event {
	t.Helper()
	e := postgres.Event{Topic: postgres.TopicSession, ID: uuid.New()}
	err := db.InTx(soon(t), func(tx *postgres.Tx) error { return tx.Notify(e.Topic, e.ID) })
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAnEventReachesEveryReplica(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	one, other := dbtest.Open(t, url), dbtest.Open(t, url)
	heard := record(other.Bus)
	e := announce(t, one)
	eventually(t, 5*time.Second, "the other replica hears of it", func() bool { return heard.count(e) == 1 })
}

func TestAnEventHasReachedThisReplicaWhenTheTransactionReturns(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(soon(t), postgres.Config{URL: dbtest.URL(t)}) // without Listen: nothing comes from the database
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	heard := record(db.Bus)
	if e := announce(t, db); heard.count(e) != 1 {
		t.Fatal("the event had not been delivered when InTx returned")
	}
}

func TestAnEventIsNotDeliveredBeforeTheCommit(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	heard := record(db.Bus)
	err := db.InTx(soon(t), func(tx *postgres.Tx) error {
		if err := tx.Notify(postgres.TopicTeam, uuid.New()); err != nil {
			return err
		}
		if heard.total() != 0 {
			t.Error("subscribers heard of a change that others cannot see yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestARolledBackTransactionAnnouncesNothing(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	one, other := dbtest.Open(t, url), dbtest.Open(t, url)
	here, there := record(one.Bus), record(other.Bus)
	refused := errors.New("refused")
	err := one.InTx(soon(t), func(tx *postgres.Tx) error {
		return errors.Join(tx.Notify(postgres.TopicUser, uuid.New()), refused)
	})
	if !errors.Is(err, refused) {
		t.Fatalf("InTx answered %v", err)
	}
	last := announce(t, one) // events come in order: when this one is there, the other one is not coming
	eventually(t, 5*time.Second, "the next event arrives", func() bool { return there.count(last) == 1 && here.count(last) == 2 })
	if there.total() != 1 || here.total() != 2 {
		t.Fatalf("heard more than the committed event: here %d, there %d", here.total(), there.total())
	}
}

func TestABusIsFreshOnlyWhileItListens(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(soon(t), postgres.Config{URL: dbtest.URL(t)})
	if err != nil {
		t.Fatal(err)
	}
	if db.Bus.Fresh() {
		t.Error("fresh before Listen")
	}
	if err := db.Listen(soon(t)); err != nil {
		t.Fatal(err)
	}
	if !db.Bus.Fresh() {
		t.Error("not fresh after Listen")
	}
	if err := db.Listen(soon(t)); err == nil {
		t.Error("a second Listen was accepted")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db.Bus.Fresh() {
		t.Error("fresh after Close")
	}
}

func TestABusStaysFreshWhilePoolConnectionsAreAllTaken(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	for range db.Stats().MaxOpenConnections {
		conn, err := db.Conn(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	taken := time.Now()
	eventually(t, 10*time.Second, "the bus is fresh by a heartbeat that was sent without the pool", func() bool {
		return time.Since(taken) > 2*time.Second && db.Bus.Fresh()
	})
}

func TestACutListenerIsNotTrustedUntilEverythingWasForgotten(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	db, other := dbtest.Open(t, url), dbtest.Open(t, url)
	anything := postgres.Event{}
	heard, elsewhere := record(db.Bus), record(other.Bus)
	db.Bus.Subscribe(func(e postgres.Event) {
		if e == anything && db.Bus.Fresh() {
			t.Error("the bus was fresh while subscribers had not forgotten yet")
		}
	})
	for round := 1; round <= 3; round++ {
		dbtest.Cut(t, db)
		eventually(t, 10*time.Second, "subscribers are told that anything may have changed", func() bool { return heard.count(anything) == round })
		eventually(t, 10*time.Second, "the bus is fresh again", db.Bus.Fresh)
		e := announce(t, other)
		eventually(t, 5*time.Second, "events arrive over the new connection", func() bool { return heard.count(e) == 1 })
		if elsewhere.count(anything) != 0 {
			t.Fatal("the cut of one replica disturbed the other")
		}
	}
}

func TestASilentConnectionIsNotTrustedAndIsReplaced(t *testing.T) {
	t.Parallel()
	c := dbtest.NewCluster(t)
	db := dbtest.Open(t, c.URL())
	var pid int
	err := db.Get(&pid, `SELECT pid FROM pg_stat_activity WHERE application_name = $1`, db.Bus.ListenerName())
	if err != nil {
		t.Fatal(err)
	}
	heard := record(db.Bus)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil { // the connection stays open, but nothing comes any more
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	eventually(t, 1600*time.Millisecond, "the bus is not fresh", func() bool { return !db.Bus.Fresh() })
	eventually(t, 15*time.Second, "a new connection makes it fresh again", db.Bus.Fresh)
	if heard.count(postgres.Event{}) == 0 {
		t.Fatal("nobody was told that something may have been missed")
	}
}

func TestABusRecoversWhenTheDatabaseComesBack(t *testing.T) {
	t.Parallel()
	c := dbtest.NewCluster(t)
	db := dbtest.Open(t, c.URL())
	heard := record(db.Bus)
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 1500*time.Millisecond, "the bus is not fresh", func() bool { return !db.Bus.Fresh() })
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the bus is fresh again", db.Bus.Fresh)
	if heard.count(postgres.Event{}) == 0 {
		t.Fatal("nobody was told that something may have been missed")
	}
	e := announce(t, db)
	eventually(t, 5*time.Second, "events come from the database again", func() bool { return heard.count(e) == 2 })
}

func TestAnEventThatIsNotUnderstoodMeansThatAnythingMayHaveChanged(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	heard := record(db.Bus)
	if _, err := db.Exec(`NOTIFY openhands_saas, 'of a later version'`); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "the zero event", func() bool { return heard.count(postgres.Event{}) == 1 })
}
