package mail_test

import (
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }
