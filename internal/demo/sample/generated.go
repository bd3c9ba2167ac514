package sample

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"strings"
)

// frozenVersions are the cookbook versions that are uploaded frozen.
var frozenVersions = map[string]bool{"nginx-1.4.2": true, "base-1.0.0": true}

// emptyCookbook is a cookbook without any file. Servers take one; a folder
// would at least have its metadata.json.
func emptyCookbook() *cookbook {
	return &cookbook{name: "reserved_name", version: "0.0.1", metadata: json.RawMessage(`{
		"name": "reserved_name", "version": "0.0.1", "license": "All Rights Reserved",
		"description": "Holds the name until the team has one", "long_description": "", "maintainer": "Platform",
		"dependencies": {}, "platforms": {}}`)}
}

// addGenerated adds to a cookbook the files that are no text, or empty.
func addGenerated(cb *cookbook) {
	add := func(path string, content []byte) { cb.files = append(cb.files, newFile(path, content)) }
	switch cb.name {
	case "nginx":
		add("files/default/favicon.png", favicon())
		add("files/default/empty.html", nil)
	case "backup":
		// Latin-1, as an old backup server still writes it.
		add("files/default/excludes.latin1.txt", []byte("*.tmp\n/srv/B\xfcro/Entw\xfcrfe\n/srv/Ablage/gel\xf6scht\n"))
		add("files/default/bytes.bin", everyByte())
	case "postgresql":
		add("files/default/seed.sql.gz", seedDump())
	case "webshop":
		add("files/default/service.ps1", windowsScript())
	}
}

// favicon is a small PNG.
func favicon() []byte {
	img := image.NewPaletted(image.Rect(0, 0, 16, 16), color.Palette{
		color.Transparent, color.RGBA{R: 0x2f, G: 0x6f, B: 0x8f, A: 0xff},
	})
	for y := range 16 {
		for x := range 16 {
			if (x/4+y/4)%2 == 0 {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		panic(err) // a buffer takes everything
	}
	return out.Bytes()
}

// seedDump is gzip, with some kilobytes inside.
func seedDump() []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write([]byte("CREATE TABLE article (id bigint PRIMARY KEY, title text);\n" +
		strings.Repeat("INSERT INTO article SELECT max(id) + 1, 'sample' FROM article;\n", 200)))
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		panic(err) // a buffer takes everything
	}
	return out.Bytes()
}

// everyByte has each byte there is, twice over, for whoever takes files for
// strings.
func everyByte() []byte {
	out := make([]byte, 512)
	for i := range out {
		out[i] = byte(i)
	}
	return out
}

// windowsScript begins with a byte order mark and has line ends that a text
// mode would change.
func windowsScript() []byte {
	lines := []string{
		"$service = Get-Service -Name webshop", "if ($service.Status -ne 'Running') {",
		"  Start-Service -Name webshop", "}", "",
	}
	return []byte("\xef\xbb\xbf" + strings.Join(lines, "\r\n"))
}
