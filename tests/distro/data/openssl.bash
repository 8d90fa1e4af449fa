# Digests, ciphers, keys and signatures; what is random is used, never printed.
set -e
seq 1 $((2000 * SCALE)) >data
for digest in md5 sha1 sha256 sha512 sha3-512 blake2b512; do openssl dgst "-$digest" data; done
openssl dgst -sha256 -hmac key data
bits=$((SCALE < 100 ? 1024 : 2048))
key=00112233445566778899aabbccddeeff
for cipher in aes-128-cbc aes-128-ctr camellia-128-cbc; do
    openssl enc "-$cipher" -K $key -iv $key -in data -out coded
    sha256sum coded
    openssl enc -d "-$cipher" -K $key -iv $key -in coded | cmp - data
done
openssl enc -chacha20 -K $key$key -iv $key -in data | sha256sum
openssl enc -aes-256-cbc -pbkdf2 -k password -S 0011223344556677 -in data | sha256sum
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:$bits -out rsa.pem 2>/dev/null ||
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:$bits -out rsa.pem 2>/dev/null
openssl pkey -in rsa.pem -pubout -out rsa.pub
openssl dgst -sha256 -sign rsa.pem -out signature data
openssl dgst -sha256 -verify rsa.pub -signature signature data
openssl genpkey -algorithm ED25519 -out ed.pem
openssl pkey -in ed.pem -pubout -out ed.pub
openssl pkeyutl -sign -rawin -inkey ed.pem -in Makefile -out s 2>/dev/null || echo 'no such file'
head -c 1000 data >small
openssl pkeyutl -sign -rawin -inkey ed.pem -in small -out s
openssl pkeyutl -verify -rawin -pubin -inkey ed.pub -in small -sigfile s
openssl req -x509 -key rsa.pem -subj /CN=test -days 10 -out cert.pem
openssl x509 -in cert.pem -noout -subject
openssl verify -CAfile cert.pem cert.pem
openssl ecparam -name prime256v1 -genkey -noout -out ec.pem
openssl ec -in ec.pem -check -noout 2>&1 | tail -n 1
openssl prime 2305843009213693951 2305843009213693953
openssl rand -hex 16 | tr -d '0-9a-f\n' | wc -c
