package setup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// published is an npm package of which one folder is kept.
type published struct {
	title, name, version string
	sum                  string // the SHA-512 of the archive
	folder               string // what is kept of it
}

func canvasPackage() published {
	return published{
		title: "Canvas UI", name: "@openhands/agent-canvas", version: CanvasVersion, folder: "build",
		sum: "baadbc6e674c6a9b0337496da79647626f717ee93b70792d364774358dfcc3f513ab6e70253a922923f26bedbe932d3e1e9197daf9a7d2e177987b8d0a839bdb",
	}
}

// monacoPackage is the editor in which the UI shows differences. The UI would load it from a third party's server.
func monacoPackage() published {
	return published{
		title: "Monaco editor", name: "monaco-editor", version: MonacoVersion, folder: "min/vs",
		sum: "8f3e31f9324d147c07b70b95f6f03daccba371945bd021229531301b6ad14a97bf03b25d92e8fcc4f2adb4280e87ebff9641f2ec7b19eb8a23faadf1a00165f4",
	}
}

const asideMark = ".tmp-"

// canvas provides the built UI, with the editor inside, and returns its folder. Nothing is installed: the packages are fetched as
// archives, and only the folder that is served is kept of each.
func (m *maker) canvas(ctx context.Context) (string, error) {
	name := canvasName()
	dir := filepath.Join(m.cache, name)
	err := m.once(ctx, name, func() bool { return haveCanvas(m.cache) }, func() error { return m.make(ctx, canvasPackage(), dir) })
	if err != nil {
		return "", err
	}
	editor := monacoDir(m.cache)
	return dir, m.once(ctx, "monaco-"+MonacoVersion, func() bool { return haveMonaco(m.cache) }, func() error {
		return m.make(ctx, monacoPackage(), editor)
	})
}

func canvasName() string { return "canvas-" + CanvasVersion }

func haveCanvas(cache string) bool { return exist(filepath.Join(cache, canvasName(), "index.html")) }

// monacoDir is where the product looks for the editor: below the UI's own folder, by name and version.
func monacoDir(cache string) string {
	return filepath.Join(cache, canvasName(), "monaco-editor@"+MonacoVersion, "min", "vs")
}

func haveMonaco(cache string) bool { return exist(filepath.Join(monacoDir(cache), "loader.js")) }

// make fetches a package aside and moves its folder to dir.
func (m *maker) make(ctx context.Context, p published, dir string) error {
	part := filepath.Join(m.cache, filepath.Base(p.name)+"-"+p.version)
	if err := removeLeftovers(part, dir); err != nil {
		return err
	}
	aside, err := os.MkdirTemp(m.cache, filepath.Base(part)+asideMark)
	if err != nil {
		return fmt.Errorf("make a folder for the %s: %w", p.title, err)
	}
	defer func() { _ = os.RemoveAll(aside) }()
	cmd := exec.Command("npm", "pack", "--silent", "--pack-destination", aside, p.name+"@"+p.version)
	cmd.Dir = aside
	if err := m.progress.run(ctx, p.title+" "+p.version+" (npm pack)", cmd); err != nil {
		return err
	}
	archive, err := onlyArchive(aside)
	if err != nil {
		return err
	}
	kept := filepath.Join(aside, "kept")
	if err := p.unpack(archive, kept); err != nil {
		return fmt.Errorf("unpack the %s: %w", p.title, err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("make a folder for the %s: %w", p.title, err)
	}
	return os.Rename(kept, dir)
}

// removeLeftovers removes what earlier set-ups of a part left when they were killed. The part's lock is held, so nobody is at
// work there.
func removeLeftovers(part, dir string) error {
	left, _ := filepath.Glob(part + asideMark + "*")
	for _, path := range append(left, dir) {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove a broken set-up: %w", err)
		}
	}
	return nil
}

func onlyArchive(dir string) (string, error) {
	found, _ := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if len(found) != 1 {
		return "", fmt.Errorf("npm pack left %d archives, one was expected", len(found))
	}
	return found[0], nil
}

// unpack checks the archive's sum before a byte of it is used.
func (p published) unpack(archive, dir string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	sum := sha512.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if got := fmt.Sprintf("%x", sum.Sum(nil)); got != p.sum {
		return fmt.Errorf("the archive of %s %s is not the known one (sha512 %.16s…)", p.name, p.version, got)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return Unpack(file, "package/"+p.folder+"/", dir)
}

// Unpack writes the regular files below prefix of a gzipped tar archive into
// dir. A name that would leave dir is an error.
func Unpack(archive io.Reader, prefix, dir string) error {
	zipped, err := gzip.NewReader(archive)
	if err != nil {
		return err
	}
	for entries := tar.NewReader(zipped); ; {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, below := strings.CutPrefix(entry.Name, prefix)
		if !below || entry.Typeflag != tar.TypeReg {
			continue
		}
		if !filepath.IsLocal(name) {
			return fmt.Errorf("the archive holds the name %q, which leads out of it", entry.Name)
		}
		if err := writeFile(filepath.Join(dir, name), entries); err != nil {
			return err
		}
	}
}

func writeFile(path string, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
