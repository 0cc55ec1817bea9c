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

const (
	canvasPackage = "@openhands/agent-canvas"
	asideMark     = ".tmp-"
	// canvasSum is the SHA-512 of the published archive.
	canvasSum = "baadbc6e674c6a9b0337496da79647626f717ee93b70792d364774358dfcc3f513ab6e70253a922923f26bedbe932d3e1e9197daf9a7d2e177987b8d0a839bdb"
)

// canvas provides the built UI and returns its folder. Nothing is installed:
// the package is fetched as an archive, and only its build folder is kept.
func (m *maker) canvas(ctx context.Context) (string, error) {
	name := "canvas-" + CanvasVersion
	dir := filepath.Join(m.cache, name)
	whole := func() bool { return exist(filepath.Join(dir, "index.html")) }
	return dir, m.once(ctx, name, whole, func() error { return m.makeCanvas(ctx, dir) })
}

func (m *maker) makeCanvas(ctx context.Context, dir string) error {
	if err := removeLeftovers(dir); err != nil {
		return err
	}
	aside, err := os.MkdirTemp(m.cache, filepath.Base(dir)+asideMark)
	if err != nil {
		return fmt.Errorf("make a folder for the UI: %w", err)
	}
	defer func() { _ = os.RemoveAll(aside) }()
	cmd := exec.Command("npm", "pack", "--silent", "--pack-destination", aside, canvasPackage+"@"+CanvasVersion)
	cmd.Dir = aside
	if err := m.progress.run(ctx, "Canvas UI "+CanvasVersion+" (npm pack)", cmd); err != nil {
		return err
	}
	archive, err := onlyArchive(aside)
	if err != nil {
		return err
	}
	build := filepath.Join(aside, "build")
	if err := unpackFile(archive, build); err != nil {
		return fmt.Errorf("unpack the UI: %w", err)
	}
	return os.Rename(build, dir)
}

// removeLeftovers removes what earlier set-ups left when they were killed. The
// part's lock is held, so nobody is at work there.
func removeLeftovers(dir string) error {
	left, _ := filepath.Glob(dir + asideMark + "*")
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

// unpackFile checks the archive's sum before a byte of it is used.
func unpackFile(archive, dir string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	sum := sha512.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if got := fmt.Sprintf("%x", sum.Sum(nil)); got != canvasSum {
		return fmt.Errorf("the archive of %s %s is not the known one (sha512 %.16s…)", canvasPackage, CanvasVersion, got)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return Unpack(file, "package/build/", dir)
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
