// Secrets as they stand in files, logs and command lines: each shape holds the given canary where the secret is. Used against the
// redaction alone and seeded into the lab's hosts.

/** A canary that no dictionary, identifier or path looks like. */
export const CANARY = 'S3cr3tC4nary0x93b1f0Zq';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Name and text by canary; what must not come through are the canary itself and, for encoded shapes, its encoding. */
export function secretShapes(canary: string = CANARY): readonly (readonly [string, string])[] {
  return [
    ['TOML', `launcher_token = "${canary}"`],
    ['TOML in a table', `[api]\npassword = '${canary}'`],
    ['TOML over several lines', `secret = """\n${canary}\nmore ${canary}\n"""`],
    ['INI', `[db]\npassword=${canary};${canary},x`],
    ['YAML', `database:\n  password: ${canary}\n  user: viworks`],
    ['YAML block', `secret: |\n  ${canary}\n  a: ${canary}\nnext: 1`],
    ['YAML on the next line', `password:\n  ${canary}`],
    ['YAML list', `tokens: [${canary}, ${canary}]`],
    ['JSON', `{"level":"info","token":"${canary}","port":8081}`],
    ['JSON in JSON', `{"message":"{\\"password\\":\\"${canary}\\"}"}`],
    ['camel case', `{"accessToken":"${canary}","clientSecret":"${canary}"}`],
    ['XML', `<add><password>${canary}</password></add>`],
    ['environment', `DB_PASSWORD=${canary}`],
    ['exported', `export MYSQL_PWD=${canary}`],
    ['PGPASSWORD', `PGPASSWORD=${canary} psql -h db.example.test`],
    ['unit', `Environment=API_KEY=${canary} OTHER=1`],
    ['unit, quoted', `Environment="TOKEN=${canary} with blanks ${canary}"`],
    ['unit credential', `SetCredential=token:${canary}`],
    ['Authorization Bearer', `Authorization: Bearer ${canary}`],
    ['Authorization Basic', `Authorization: Basic ${base64(`viworks:${canary}`)}`],
    ['Authorization Digest', `Authorization: Digest username="viworks", response="${canary}"`],
    ['Authorization in JSON', `{"authorization":"Bearer ${canary}"}`],
    ['bearer in prose', `refused bearer ${canary}`],
    ['nginx Authorization', `proxy_set_header Authorization "Basic ${base64(`viworks:${canary}`)}";`],
    ['nginx header', `proxy_set_header X-Api-Key ${canary};`],
    ['nginx fastcgi_param', `location / { fastcgi_param DB_PASSWORD ${canary}; }`],
    ['nginx set', `set $token "${canary}";`],
    ['nginx if', `if ($http_x_api_key != "${canary}") { return 403; }`],
    ['nginx cookie', `proxy_set_header Cookie "session=${canary}";`],
    ['Cookie', `Cookie: session=${canary}; theme=dark`],
    ['Set-Cookie', `Set-Cookie: id=${canary}; HttpOnly; Path=/`],
    ['query', `GET /ws/agent?token=${canary}&x=1 HTTP/1.1`],
    ['signed query', `https://blob.example.test/a?sv=1&sig=${canary}%3D`],
    ['URL', `postgres://viworks:${canary}@db.example.test/viworks`],
    ['URL without user', `redis://:${canary}@cache.example.test:6379/0`],
    ['URL with / in the password', `amqp://viworks:ab/${canary}@mq.example.test/`],
    ['URL with @ in the password', `mongodb://viworks:p@${canary}@db.example.test/`],
    ['URL within a URL', `https://example.test/login?next=https://u:${canary}@example.test/`],
    ['URL with a token', `https://${canary}@git.example.test/repo.git`],
    ['curl -u', `curl -u viworks:${canary} https://example.test/`],
    ['curl header', `curl -H 'X-Auth-Token: ${canary}' -H 'Cookie: a=${canary}' https://example.test/`],
    ['command line', `/usr/bin/agent --token ${canary} --port 8081`],
    ['command line with =', `/usr/bin/agent --password=${canary}`],
    ['mysql -p', `mysql -u root -p${canary} viworks`],
    ['sshpass', `sshpass -p ${canary} ssh root@192.0.2.10`],
    ['redis-cli', `redis-cli -a ${canary} ping`],
    ['openssl', `openssl rsa -in a.pem -passin pass:${canary}`],
    ['netrc', `machine git.example.test login viworks password ${canary}`],
    ['connection string', `Server=db.example.test;User Id=viworks;Password=${canary};Timeout=3`],
    ['storage account', `AccountName=viworks;AccountKey=${canary}==;EndpointSuffix=example.test`],
    ['JWT', `sent eyJhbGciOiJIUzI1NiJ9.${base64(canary).replace(/=+$/, '')}.${canary}`],
    ['our own', `the gateway said vw_${canary}`],
    ['AWS', `aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = ${canary}/+${canary}`],
    ['GitHub', `cloned with ghp_${canary}${canary}`],
    ['GitLab', `glpat-${canary}`],
    ['Slack', `xoxb-1234-${canary}`],
    ['Slack hook', `https://hooks.slack.com/services/T000/B000/${canary}`],
    ['Stripe', `sk_live_${canary}`],
    ['npm', `//registry.example.test/:_authToken=npm_${canary}${canary}`],
    ['Google', `AIza${canary}${canary}`],
    ['Docker', `{"auths":{"registry.example.test":{"auth":"${base64(`viworks:${canary}`)}"}}}`],
    ['kubeconfig', `    client-key-data: ${base64(`-----BEGIN PRIVATE KEY-----${canary}`)}\n    token: ${canary}`],
    ['age', `AGE-SECRET-KEY-1${canary.toUpperCase()}${canary.toUpperCase()}`],
    ['WireGuard', `[Interface]\nPrivateKey = ${canary}+${canary}=\nPresharedKey = ${canary}=`],
    ['TOTP', `otpauth://totp/viworks?secret=${canary}&issuer=viworks`],
    ['TOTP seed', `totp_seed: ${canary}`],
    ['shadow, yescrypt', `root:$y$j9T$${canary}$${canary}:19700:0:99999:7:::`],
    ['shadow, SHA-512', `nginx: [emerg] unknown directive "root:$6$${canary}$${canary}"`],
    ['htpasswd, apr1', `viworks:$apr1$${canary}$${canary}`],
    ['htpasswd, bcrypt', `viworks:$2y$10$${canary}`],
    ['htpasswd, SHA', `viworks:{SHA}${canary}=`],
    ['hex behind a name', `encryption_key = ${canary}0123456789abcdef0123456789abcdef`],
    ['private key', `-----BEGIN PRIVATE KEY-----\n${canary}\n-----END PRIVATE KEY-----`],
    ['EC private key', `-----BEGIN EC PRIVATE KEY-----\n${canary}\n-----END EC PRIVATE KEY-----`],
    [
      'encrypted private key',
      `-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,${canary}\n\n${canary}\n-----END RSA PRIVATE KEY-----`,
    ],
    ['OpenSSH private key', `-----BEGIN OPENSSH PRIVATE KEY-----\n${canary}\n-----END OPENSSH PRIVATE KEY-----`],
    ['PGP private key', `-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n${canary}\n-----END PGP PRIVATE KEY BLOCK-----`],
    ['private key without its end', `-----BEGIN PRIVATE KEY-----\n${canary}${canary}\n${canary}${canary}`],
    ['private key without its beginning', `${canary}${canary}\n${canary}\n-----END PRIVATE KEY-----`],
    [
      'private key in one line',
      `{"private_key": "-----BEGIN PRIVATE KEY-----\\n${canary}\\n-----END PRIVATE KEY-----\\n"}`,
    ],
    [
      'private key in a log',
      `09:00 be1 x[1]: -----BEGIN PRIVATE KEY-----\n09:00 be1 x[1]: ${canary}${canary}\n09:00 be1 x[1]: -----END PRIVATE KEY-----`,
    ],
    ['PuTTY key', `PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 2\n${canary}\n${canary}\nPrivate-MAC: 0`],
  ];
}

/** What of a canary may not be seen: itself, in any case, and as base64 at each of the three offsets. */
export function traces(canary: string = CANARY): readonly string[] {
  const encoded = ['', 'a', 'ab'].map((before) => base64(before + canary).slice(before.length === 0 ? 0 : 4, -4));
  return [canary, canary.toUpperCase(), ...encoded];
}
