package setup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Program is something that comes from the system's own packages.
type Program struct {
	Name     string   // what people call it
	Commands []string // one of these must be found
	Folders  []string // globs of folders to look in beyond the PATH
	Packages []string // what apt-get installs to get it
}

// Find returns the program's path, "" when it is not here.
func (p Program) Find() string {
	for _, command := range p.Commands {
		if path, err := exec.LookPath(command); err == nil {
			return path
		}
		for _, folder := range p.Folders {
			found, _ := filepath.Glob(filepath.Join(folder, command))
			if len(found) > 0 {
				return found[len(found)-1]
			}
		}
	}
	return ""
}

// Programs lists what o needs of the system.
func Programs(o Options) []Program {
	var needed []Program
	if o.Upstream {
		needed = append(needed,
			Program{Name: "tmux", Commands: []string{"tmux"}, Packages: []string{"tmux"}},
			Program{Name: "git", Commands: []string{"git"}, Packages: []string{"git"}})
	}
	if o.Canvas || o.Node {
		needed = append(needed, Program{Name: "npm", Commands: []string{"npm"}, Packages: []string{"npm"}})
	}
	if o.Node {
		needed = append(needed, Program{Name: "Node", Commands: []string{"node"}, Packages: []string{"nodejs"}})
	}
	if o.Postgres {
		needed = append(needed, Program{
			Name:     "the Postgres server",
			Commands: []string{"initdb"},
			Folders:  []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin"},
			Packages: []string{"postgresql"},
		})
	}
	if o.Chromium {
		needed = append(needed, browser())
	}
	return needed
}

// browser comes with a font: without any, its screenshots show no text.
func browser() Program {
	return Program{
		Name:     "Chromium",
		Commands: []string{"chromium", "chromium-browser", "google-chrome"},
		Packages: []string{"chromium", "fonts-liberation"},
	}
}

// system provides the programs that are missing, or says how to get them.
func (m *maker) system(ctx context.Context, o Options, paths *Paths) error {
	missing := absent(Programs(o))
	if o.Canvas && haveCanvas(m.cache) && haveMonaco(m.cache) {
		missing = without(missing, "npm")
	}
	if len(missing) > 0 {
		if err := m.install(ctx, missing); err != nil {
			return err
		}
	}
	if o.Chromium {
		paths.Chromium = browser().Find()
	}
	return nil
}

func absent(programs []Program) []Program {
	var missing []Program
	for _, program := range programs {
		if program.Find() == "" {
			missing = append(missing, program)
		}
	}
	return missing
}

func without(programs []Program, name string) []Program {
	var rest []Program
	for _, program := range programs {
		if program.Name != name {
			rest = append(rest, program)
		}
	}
	return rest
}

func (m *maker) install(ctx context.Context, missing []Program) error {
	_, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("%s", Advice(missing, err == nil))
	}
	refresh, install := aptGet("update"), aptGet(append([]string{"install", "-y", "--no-install-recommends"}, packages(missing)...)...)
	if err := m.progress.run(ctx, "package lists (apt-get update)", refresh); err != nil {
		return err
	}
	if err := m.progress.run(ctx, "system packages: "+strings.Join(packages(missing), " "), install); err != nil {
		return err
	}
	if still := absent(missing); len(still) > 0 {
		return fmt.Errorf("apt-get installed %s, yet %s is not found", strings.Join(packages(missing), " "), names(still))
	}
	return nil
}

// aptGet never asks a question and waits for another apt instead of failing.
func aptGet(args ...string) *exec.Cmd {
	cmd := exec.Command("apt-get", append([]string{"-q", "-o", "DPkg::Lock::Timeout=300"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	return cmd
}

// Advice says what is missing and the command that brings it.
func Advice(missing []Program, apt bool) string {
	wanted := strings.Join(packages(missing), " ")
	if apt {
		return fmt.Sprintf("%s missing; install with:\n\n    sudo apt-get update && sudo apt-get install -y %s\n\nand start again",
			names(missing), wanted)
	}
	return fmt.Sprintf("%s missing; install with this system's package manager (the names on Debian are: %s) and start again",
		names(missing), wanted)
}

func packages(programs []Program) []string {
	var all []string
	for _, program := range programs {
		all = append(all, program.Packages...)
	}
	return all
}

func names(programs []Program) string {
	var all []string
	for _, program := range programs {
		all = append(all, program.Name)
	}
	if len(all) == 1 {
		return all[0] + " is"
	}
	return strings.Join(all, ", ") + " are"
}
