package ctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	reports "github.com/chef-sync/chef-sync/internal/report"
	"github.com/chef-sync/chef-sync/workflows"
)

// verified is the answer of verify and of sync-once.
type verified struct {
	*reports.Report

	// Unsynced are the objects that the pair could not copy; of sync-once.
	Unsynced []workflows.Unsynced `json:"unsynced,omitempty"`
}

// The endings of the files of a report.
const (
	endText = ".txt"
	endJSON = ".json"
)

// writable reports why a report could not be written; "" is none.
func writable(file string) error {
	if file == "" {
		return nil
	}
	dir, err := os.Stat(filepath.Dir(file))
	switch {
	case err != nil:
		return err
	case !dir.IsDir():
		return fmt.Errorf("%s is no directory", filepath.Dir(file))
	}
	if is, err := os.Stat(file); err == nil && is.IsDir() {
		return errors.New("it is a directory")
	}
	return nil
}

// text is the answer for people.
func (v verified) text() (string, error) {
	var b bytes.Buffer
	if err := v.Text(&b); err != nil {
		return "", err
	}
	if len(v.Unsynced) > 0 {
		fmt.Fprintf(&b, "\nUNSYNCED: %d\n", len(v.Unsynced))
		for _, u := range v.Unsynced {
			fmt.Fprintf(&b, "  %s  %s\n", u.Ref, strings.Join(strings.Fields(u.Reason), " "))
		}
	}
	return b.String(), nil
}

// write writes the files of a report and returns their names. Nobody sees half of
// one.
func (v verified) write(file string) ([]string, error) {
	text, err := v.text()
	if err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	content := map[string][]byte{endText: []byte(text), endJSON: append(data, '\n')}
	base, ends := file, []string{endText, endJSON}
	if end := filepath.Ext(file); content[end] != nil {
		base, ends = strings.TrimSuffix(file, end), []string{end}
	}
	var names []string
	for _, end := range ends {
		name := base + end
		if err := os.WriteFile(name+".part", content[end], 0o600); err != nil {
			return nil, err
		}
		if err := os.Rename(name+".part", name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// concludeVerify prints and writes what a verification found, and makes the exit
// code of it.
func (k *call) concludeVerify(out verified, v *verification) error {
	if k.print.json {
		if err := k.print.document(out); err != nil {
			return err
		}
	} else {
		text, err := out.text()
		if err != nil {
			return err
		}
		fmt.Fprint(k.print.out, clean(text))
	}
	if out.File != "" {
		fmt.Fprintf(k.print.err, "ec-syncd keeps this report on its host: %s and %s\n", clean(out.File)+endText, endJSON)
	}
	if v.file != "" {
		names, err := out.write(v.file)
		if err != nil {
			return fail(ExitUnknown, v.again(), "%s: the verdict is %q, and the report was not written: %w", k.command, out.Verdict, err)
		}
		fmt.Fprintf(k.print.err, "wrote %s\n", strings.Join(names, " and "))
	}
	switch out.Verdict {
	case reports.Equal:
		return nil
	case reports.Differs:
		return errLook
	default:
		return fail(ExitUnknown, v.again(), "%s: it could not be told whether %s is equal on both servers", k.command, v.pair)
	}
}
