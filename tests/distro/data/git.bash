# A repository made, changed, searched, cloned over a pipe, packed and checked.
set -e
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org
export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000' GIT_PAGER=cat
export GIT_CONFIG_GLOBAL=/dev/null
git init -q -b trunk origin
cd origin
seq 1 500 >numbers
mkdir folder
for i in {1..30}; do echo "file $i" >"folder/$i"; done
git add .
git commit -q -m 'first'
sed -i 's/^77$/seventy-seven/' numbers
git commit -q -a -m 'second'
git checkout -q -b side HEAD~1
echo more >>folder/3
git commit -q -a -m 'on the side'
git checkout -q trunk
git merge -q -m merged side
git tag -a -m 'a tag' v1
git log --graph --stat --format='%H %an %s'
git diff HEAD~1 HEAD --stat
git show --format=%s HEAD~1 -- numbers
git grep -n seventy
git blame -s numbers | sed -n 76,78p
cd ..
git clone -q "file://$PWD/origin" clone
cd clone
git log --oneline
git fsck --full
git status --short --branch
echo change >>numbers
git stash -q
git stash list --format=%s | wc -l
git stash pop -q
git diff --shortstat
git commit -q -a -m third
git push -q origin HEAD:refs/heads/pushed
cd ../origin
git log --format=%s -1 pushed
git gc -q
git count-objects -v | grep -E '^(count|in-pack|packs)'
git bundle create -q ../all.bundle --all
git bundle list-heads ../all.bundle
git archive HEAD | tar tf - | wc -l
