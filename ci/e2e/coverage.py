"""Line coverage of the pure half, out of the JSON of llvm-cov. Usage: coverage.py FILE LEAST_PERCENT."""

import json
import sys

PURE = ("scenario", "plan", "analysis", "check", "report")


def main():
    files = json.load(open(sys.argv[1]))["data"][0]["files"]
    least = float(sys.argv[2])
    whole = [0, 0]
    for part in PURE:
        covered = count = 0
        for file in files:
            name = file["filename"].rpartition("/src/")[2]
            if name == f"{part}.rs" or name.startswith(f"{part}/"):
                covered += file["summary"]["lines"]["covered"]
                count += file["summary"]["lines"]["count"]
        whole[0] += covered
        whole[1] += count
        print(f"{part:10} {covered:6} of {count:6} lines, {100 * covered / max(count, 1):.1f} %")
    percent = 100 * whole[0] / max(whole[1], 1)
    print(f"{'in all':10} {whole[0]:6} of {whole[1]:6} lines, {percent:.1f} %, at least {least:g} % wanted")
    sys.exit(percent < least)


if __name__ == "__main__":
    main()
