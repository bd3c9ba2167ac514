package kinds

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
)

// normalizeKey brings the text of a public key into one form: servers keep the
// PEM form that they were sent, PKCS#1 or PKIX, with its line ends. Text that is
// no key equals the same text with other white space.
func normalizeKey(text string) string {
	block, _ := pem.Decode([]byte(strings.TrimSpace(text)))
	if block == nil {
		return strings.Join(strings.Fields(text), " ")
	}
	if der, ok := pkix(block); ok {
		return base64.StdEncoding.EncodeToString(der)
	}
	return block.Type + " " + base64.StdEncoding.EncodeToString(block.Bytes)
}

// pkix returns the public key of a PEM block in the PKIX form.
func pkix(block *pem.Block) (der []byte, ok bool) {
	var key any
	var err error
	switch block.Type {
	case "RSA PUBLIC KEY":
		if key, err = x509.ParsePKCS1PublicKey(block.Bytes); err != nil {
			return nil, false
		}
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, false
		}
		key = cert.PublicKey
	default:
		if key, err = x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			return nil, false
		}
	}
	der, err = x509.MarshalPKIXPublicKey(key)
	return der, err == nil
}
