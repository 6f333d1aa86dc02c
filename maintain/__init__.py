"""What only maintainers run: `python -m maintain figures|guide|keep|ship|badges`, in the repository's folder.

gallery   draws every figure of figures/ and its page from the records (figures)
guide     the tables of the instructor guide and of ARCHITECTURE.md
ship      weights and cards of fer_kit/models/weights; keep: records of fer_kit/training/recorded
setups    the kit rehearsed on other set-ups, and look-alikes of Colab and Kaggle
badges    the repository's address in every badge and clone line
"""
