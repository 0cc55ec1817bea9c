package layers_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openhands-saas/openhands-saas/internal/layers"
)

const module = "github.com/openhands-saas/openhands-saas"

func TestNoImportClimbsTheLadder(t *testing.T) {
	t.Parallel()
	packages := list(t)
	if len(packages) < 10 {
		t.Fatalf("only %d packages were listed, so this test proves nothing", len(packages))
	}
	for _, fault := range layers.Faults(packages) {
		t.Error(fault)
	}
}

func TestTheCheckFindsEveryKindOfFault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		pkg  layers.Package
		want []string
	}{
		{"down is fine", imports("tenancy", "auth", "access", "internal/problem", "net/http"), nil},
		{"up is not", imports("auth", "tenancy"), []string{"auth (row 2) imports tenancy (row 3)"}},
		{"to one's parent is fine", imports("tenancy/conversation", "tenancy"), nil},
		{"from parent to child is not", imports("tenancy", "tenancy/conversation"), []string{"tenancy (row 3) imports tenancy/conversation (row 3)"}},
		{"between siblings is not", imports("tenancy/invitation", "tenancy/conversation"), []string{"tenancy/invitation (row 3) imports tenancy/conversation (row 3)"}},
		{"the edges know nothing of each other", imports("web", "proxy/agentserver"), []string{"web (row 5) imports proxy/agentserver (row 5)"}},
		{"the engine does not know its dialect", imports("proxy", "proxy/agentserver"), []string{"proxy (row 4) imports proxy/agentserver (row 5)"}},
		{"the longest match counts", imports("auth/authhttp", "tenancy"), nil},
		{"row 0 stands on the floor", imports("internal/egress", "internal/problem"), nil},
		{"and not on itself", imports("internal/egress", "internal/postgres"), []string{"internal/egress (row 0) imports internal/postgres (row 0)"}},
		{"the floor stands on nothing", imports("internal/problem", "internal/cache"), []string{"internal/problem (row -1) imports internal/cache (row -1)"}},
		{"the test databases may start a server", imports("internal/postgres/dbtest", "internal/embedpg", "internal/postgres"), nil},
		{"the product may not use test databases", imports("internal/app", "internal/postgres/dbtest"), []string{"internal/app imports internal/postgres/dbtest, which is not for it"}},
		{"nor the clock of tests", imports("auth", "internal/testtime"), []string{"auth imports internal/testtime, which is not for it"}},
		{"only the root reads the configuration", imports("tenancy", "config"), []string{"tenancy imports config, which is not for it"}},
		{"the root does", imports("internal/app", "config"), nil},
		{"echo is for the edge", imports("auth", "github.com/labstack/echo/v4"), []string{"auth imports github.com/labstack/echo/v4, which is not for it"}},
		{"where it is welcome", imports("auth/authhttp", "github.com/labstack/echo/v4/middleware"), nil},
		{"end-to-end code does not import the product", imports("e2e/stack", "auth"), []string{"e2e/stack imports auth: it must run the product, not import it"}},
		{"but itself", imports("e2e/stack", "e2e/stack/child"), nil},
		{"nobody imports commands", imports("internal/app", "cmd/openhands-saas"), []string{"internal/app (row 6) imports cmd/openhands-saas (row 7)"}},
		{"a package needs a row", imports("helpers"), []string{"helpers stands on no row: give it one in internal/layers"}},
		{"a test may look along its row", tests("tenancy/conversation", "tenancy/invitation", "internal/postgres/dbtest"), nil},
		{"but not up", tests("auth", "tenancy"), []string{"a test of auth (row 2) imports tenancy (row 3)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, layers.Faults([]layers.Package{c.pkg}), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func imports(path string, imported ...string) layers.Package {
	return layers.Package{Path: path, Imports: imported}
}

func tests(path string, imported ...string) layers.Package {
	return layers.Package{Path: path, TestImports: imported}
}

// list asks the go command for every package of the module.
func list(t *testing.T) []layers.Package {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []layers.Package
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var found struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		err := decoder.Decode(&found)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, layers.Package{
			Path:        relative(found.ImportPath)[0],
			Imports:     relative(found.Imports...),
			TestImports: relative(slices.Concat(found.TestImports, found.XTestImports)...),
		})
	}
}

func relative(paths ...string) []string {
	var short []string
	for _, path := range paths {
		short = append(short, strings.TrimPrefix(path, module+"/"))
	}
	return short
}
