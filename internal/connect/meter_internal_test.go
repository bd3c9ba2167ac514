package connect

import "testing"

func TestResult(t *testing.T) {
	for want, all := range map[string][]int{
		"ok":     {200, 201, 204},
		"retry":  {0, 408, 429, 500, 503, 504},
		"pair":   {301, 304, 401, 406, 407, 410, 421, 426, 431},
		"object": {400, 403, 404, 405, 409, 413, 422},
	} {
		for _, status := range all {
			if got := result(status); got != want {
				t.Errorf("%d counts as %s, want %s", status, got, want)
			}
		}
	}
}
