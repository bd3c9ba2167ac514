package webui

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"slices"
	"time"

	"github.com/chromedp/chromedp"
)

// PictureWidth and PictureHeight are the size of a [Browser.Picture].
const PictureWidth, PictureHeight = 1280, 800

// ForPictures makes the window as large as a picture. What is opened then is laid out
// for it.
func (b *Browser) ForPictures() {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(PictureWidth, PictureHeight)); err != nil {
		b.t.Fatalf("resize the window: %v", err)
	}
}

// Picture writes what the window shows to file, as a PNG image of at most 256
// colours, which is small enough for the documentation. It waits until the page
// stands still, for a few seconds.
func (b *Browser) Picture(file string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, waitTimeout)
	defer cancel()
	var shot []byte
	for range 20 {
		next, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			b.t.Fatalf("picture %s: %v", file, err)
		}
		if bytes.Equal(next, shot) {
			break
		}
		shot = next
		time.Sleep(3 * pollInterval)
	}
	small, err := reduce(shot)
	if err == nil {
		err = os.WriteFile(file, small, 0o644)
	}
	if err != nil {
		b.t.Fatalf("picture %s: %v", file, err)
	}
}

// reduce keeps the 256 most frequent colours of a PNG image; the others become the
// nearest of them. A page has few colours, and shades at the edges of letters.
func reduce(data []byte) ([]byte, error) {
	full, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(full.At(x, y)).(color.RGBA) }
	area := full.Bounds()
	count := map[color.RGBA]int{}
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			count[at(x, y)]++
		}
	}
	colours := make([]color.RGBA, 0, len(count))
	for c := range count {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(a, b color.RGBA) int { return count[b] - count[a] })
	var most color.Palette
	for _, c := range colours[:min(len(colours), 256)] {
		most = append(most, c)
	}
	nearest := map[color.RGBA]uint8{}
	for _, c := range colours {
		nearest[c] = uint8(most.Index(c))
	}
	small := image.NewPaletted(area, most)
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			small.SetColorIndex(x, y, nearest[at(x, y)])
		}
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err = encoder.Encode(&out, small)
	return out.Bytes(), err
}
