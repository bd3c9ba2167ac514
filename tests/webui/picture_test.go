package webui

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"
)

// A picture of too many colours keeps the frequent ones, and its size.
func TestReduce(t *testing.T) {
	full := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for i := range 64 * 64 {
		c := color.RGBA{uint8(i), uint8(i >> 4), 0, 255} // thousands of shades, once each
		if i%2 == 0 {
			c = color.RGBA{10, 20, 200, 255}
		}
		full.Set(i%64, i/64, c)
	}
	var data bytes.Buffer
	if err := png.Encode(&data, full); err != nil {
		t.Fatal(err)
	}
	small, err := reduce(data.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	got, err := png.Decode(bytes.NewReader(small))
	if err != nil {
		t.Fatal(err)
	}
	paletted, ok := got.(*image.Paletted)
	if !ok || len(paletted.Palette) != 256 || got.Bounds() != full.Bounds() {
		t.Fatalf("got %T of %v", got, got.Bounds())
	}
	for _, i := range []int{0, 2048, 4094} {
		if r, g, b, _ := got.At(i%64, i/64).RGBA(); r>>8 != 10 || g>>8 != 20 || b>>8 != 200 {
			t.Errorf("pixel %d of the most frequent colour became %d %d %d", i, r>>8, g>>8, b>>8)
		}
	}
	r, _, b, _ := got.At(63, 63).RGBA()
	if b>>8 > 50 || r>>8 < 200 {
		t.Errorf("a rare colour became %v, which is not near", got.At(63, 63))
	}
}
