package agentserver

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"strings"
)

// The UI shows differences in Monaco, an editor that it would load from a third party's server, by an address that stands in one of
// its assets. The page's policy forbids that. Where the operator has put the same version of the editor into the build's folder,
// the address is changed into that of our own origin while the asset is read; the files in the folder stay as they are.
const (
	editorHost = "https://cdn.jsdelivr.net/npm"
	editorName = "monaco-editor@" // a version follows, in the address and in the name of the folder
	editorPath = "/min/vs"
)

// useOwnEditor changes the asset that names the editor's address. It may differ from one installation to the next, so browsers
// ask each time whether it is still the same.
func useOwnEditor(root *os.Root, files map[string]file) error {
	for name, f := range files {
		if path.Ext(name) != ".js" || !strings.HasPrefix(name, "assets/") {
			continue
		}
		content, err := root.ReadFile(name)
		if err != nil {
			return err
		}
		folder := editorFolder(content)
		if folder == "" {
			continue
		}
		f.own = true
		if _, here := files[folder+"/loader.js"]; here {
			f.content = bytes.ReplaceAll(content, []byte(editorHost+"/"+folder), []byte("/"+folder))
			if f.etag, err = tag(bytes.NewReader(f.content)); err != nil {
				return err
			}
		}
		files[name] = f
	}
	return nil
}

// MissingEditor names the folder in which the build in dir would find its editor, when it is not there; "" when it is, or when
// the build asks for none.
func MissingEditor(dir string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }()
	assets, err := fs.Glob(root.FS(), "assets/*.js")
	if err != nil {
		return "", err
	}
	for _, name := range assets {
		content, err := root.ReadFile(name)
		if err != nil {
			return "", err
		}
		folder := editorFolder(content)
		if folder == "" {
			continue
		}
		if _, err := root.Stat(folder + "/loader.js"); err != nil {
			return folder, nil
		}
	}
	return "", nil
}

// editorFolder is the folder of the editor that an asset asks for, such as monaco-editor@1.2.3/min/vs; "" when it asks for none.
func editorFolder(asset []byte) string {
	_, after, found := bytes.Cut(asset, []byte(editorHost+"/"+editorName))
	if !found {
		return ""
	}
	version, _, found := bytes.Cut(after, []byte(editorPath))
	if !found || len(version) > 32 || bytes.ContainsAny(version, "/\"'`\\") {
		return ""
	}
	return editorName + string(version) + editorPath
}
